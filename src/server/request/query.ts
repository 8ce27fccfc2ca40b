// The query of a URL, read once and lazily: most requests on the hot path have none.

export class Query {
  readonly raw: string
  #values: Map<string, string[]> | undefined

  constructor(raw: string) {
    this.raw = raw
  }

  /** The first value, as Go's url.Values.Get; '' and absence differ here. */
  get(name: string): string | undefined {
    return this.all(name)[0]
  }

  all(name: string): readonly string[] {
    if (this.raw === '') return NONE
    this.#values ??= parse(this.raw)
    return this.#values.get(name) ?? NONE
  }

  /** True for `name`, `name=1` and `name=true`; as upstream converts strings to booleans. */
  flag(name: string): boolean {
    const value = this.get(name)
    return value !== undefined && isTrue(value)
  }
}

const NONE: readonly string[] = []

/** Only "false" and "0" are false; an empty value is true. */
export function isTrue(value: string): boolean {
  const lower = value.toLowerCase()
  return lower !== 'false' && lower !== '0'
}

function parse(raw: string): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(raw)) {
    const seen = values.get(name)
    if (seen) seen.push(value)
    else values.set(name, [value])
  }
  return values
}
