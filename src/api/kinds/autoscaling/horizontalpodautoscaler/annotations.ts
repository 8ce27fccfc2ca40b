// Annotations of v1 that stand for fields of v2 (pkg/apis/autoscaling/annotations.go).

const PREFIX = 'autoscaling.alpha.kubernetes.io/'

export const METRICS = `${PREFIX}metrics`
export const CURRENT_METRICS = `${PREFIX}current-metrics`
export const CONDITIONS = `${PREFIX}conditions`
export const BEHAVIOR = `${PREFIX}behavior`

const ROUND_TRIP = [
  ...[METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR],
  ...[`${PREFIX}scale-down-tolerance`, `${PREFIX}scale-up-tolerance`],
]

type Annotations = Readonly<Record<string, string>>

/** Those that stand for no field; undefined when there are none. */
export function withoutRoundTrip(all: Annotations | undefined): Record<string, string> | undefined {
  const own = Object.entries(all ?? {}).filter(([key]) => !ROUND_TRIP.includes(key))
  return own.length === 0 ? undefined : Object.fromEntries(own)
}

/** Those that do. */
export function roundTrip(all: Annotations | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(all ?? {}).filter(([key]) => ROUND_TRIP.includes(key)))
}

/** JSON as Go writes it. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Undefined for what Go would not read either: the annotation then counts as missing. */
export function readJson<T>(text: string | undefined, read: (json: Json) => T): T | undefined {
  if (text === undefined) return undefined
  try {
    return read(new Json(JSON.parse(text)))
  } catch {
    // Whatever a user wrote there, upstream goes on without it.
    return undefined
  }
}

/** A value of JSON, read as Go does: by names in any case, and null is as good as nothing. */
export class Json {
  readonly #value: unknown

  constructor(value: unknown) {
    this.#value = value
  }

  get isMissing(): boolean {
    return this.#value === undefined || this.#value === null
  }

  field(name: string): Json {
    if (this.isMissing) return this
    if (typeof this.#value !== 'object' || Array.isArray(this.#value)) throw new Error('no object')
    const lower = name.toLowerCase()
    const found = Object.entries(this.#value as object).findLast(
      ([key]) => key === name || key.toLowerCase() === lower,
    )
    return new Json(found?.[1])
  }

  list<T>(read: (item: Json) => T): T[] {
    if (this.isMissing) return []
    if (!Array.isArray(this.#value)) throw new Error('no list')
    return this.#value.map((item) => read(new Json(item)))
  }

  text(): string | undefined {
    if (this.isMissing) return undefined
    if (typeof this.#value !== 'string') throw new Error('no text')
    return this.#value
  }

  integer(): number | undefined {
    if (this.isMissing) return undefined
    if (!Number.isInteger(this.#value)) throw new Error('no integer')
    return this.#value as number
  }

  /** As it is sent: text, or a number. */
  scalar(): string | undefined {
    return typeof this.#value === 'number' ? String(this.#value) : this.text()
  }

  /** An object as it stands. */
  object<T extends object>(): T | undefined {
    if (this.isMissing) return undefined
    if (typeof this.#value !== 'object' || Array.isArray(this.#value)) throw new Error('no object')
    return this.#value as T
  }
}
