// Reads JSON as Kubernetes does: duplicate fields are seen, numbers keep their text where it
// matters.
//
//   text ─► JSON.parse (native) ─► survey: as many fields as in the text? plain numbers? ─► done
//                                                  └─ no: read again by hand, with more care
//
// Nearly every body takes the upper way, which costs one native parse and one quick look.

import { jsonFault } from './json-fault.ts'

/** The text is not JSON. The message is Go's: `unexpected end of JSON input`. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
}

/** A number that is not a plain integer of at most 15 digits, as it was written. */
export class RawNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Member = readonly [name: string, value: unknown]

export type ParsedJson = {
  /** May hold RawNumbers; see `plainJson`. */
  readonly value: unknown
  /** All members of those objects that name a field twice, in the order of the text. */
  readonly repeated: ReadonlyMap<object, readonly Member[]> | undefined
}

/** Deeper nesting than this is refused, as upstream does. */
const DEPTH_MAX = 10_000
/** Integers of so many digits are exact in a double. */
const PLAIN_DIGITS_MAX = 15
const NEEDS_CARE = -1

/** Throws JsonSyntaxError. */
export function parseJson(text: string): ParsedJson {
  const value = parseNatively(text)
  const fieldCount = survey(text)
  if (fieldCount !== NEEDS_CARE && countFields(value) === fieldCount) {
    return { value, repeated: undefined }
  }
  return new CarefulReader(text).read()
}

/** The value with plain numbers, for what no type is known of. */
export function plainJson(parsed: ParsedJson): unknown {
  return withPlainNumbers(parsed.value)
}

/** Replaces RawNumbers, in place where it can. */
export function withPlainNumbers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof RawNumber) return Number(value.text)
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      if (typeof item === 'object') value[index] = withPlainNumbers(item)
    })
    return value
  }
  const object = value as Record<string, unknown>
  for (const name in object) {
    const item = object[name]
    if (typeof item === 'object') object[name] = withPlainNumbers(item)
  }
  return object
}

/** Upstream stops counting strict faults here. */
export const STRICT_FAULTS_MAX = 100
/** A longer path is cut: a hundred faults at the bottom of a deep object share it. */
const PATH_LETTERS_MAX = 4096

/** Paths of fields that are named twice anywhere, for what no type is known of: `spec.a`. */
export function duplicatePaths(parsed: ParsedJson): readonly string[] {
  if (parsed.repeated === undefined) return []
  const paths = new Set<string>()
  collectDuplicates(parsed.value, '', parsed.repeated, paths)
  return [...paths]
}

function parseNatively(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new JsonSyntaxError(jsonFault(text) ?? (cause as Error).message)
  }
}

/**
 * How many fields the text of valid JSON names, or NEEDS_CARE when it holds a number that a double
 * may change. Looks at strings only to find their ends.
 */
function survey(text: string): number {
  let fieldCount = 0
  let depth = 0
  let digits = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22 /* " */) {
      at = endOfString(text, at)
      digits = 0
    } else if (code === 0x3a /* : */) {
      fieldCount += 1
    } else if (code >= 0x30 && code <= 0x39 /* 0-9 */) {
      digits += 1
      if (digits > PLAIN_DIGITS_MAX) return NEEDS_CARE
    } else if (code === 0x2e /* . */ || ((code === 0x65 || code === 0x45) && digits > 0)) {
      return NEEDS_CARE
    } else {
      digits = 0
      if (code === 0x7b /* { */ || code === 0x5b /* [ */) {
        depth += 1
        if (depth > DEPTH_MAX) throw new JsonSyntaxError('exceeded max depth')
      } else if (code === 0x7d /* } */ || code === 0x5d /* ] */) {
        depth -= 1
      }
    }
  }
  return fieldCount
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1
  return backslashes % 2 === 1
}

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === 'object') count += countFields(item)
    }
    return count
  }
  const object = value as Record<string, unknown>
  for (const name in object) {
    count += 1
    const item = object[name]
    if (typeof item === 'object') count += countFields(item)
  }
  return count
}

/** Reads text that is known to be valid. */
class CarefulReader {
  readonly #text: string
  #at = 0
  readonly #repeated = new Map<object, readonly Member[]>()

  constructor(text: string) {
    this.#text = text
  }

  read(): ParsedJson {
    const value = this.#value()
    return { value, repeated: this.#repeated.size === 0 ? undefined : this.#repeated }
  }

  #value(): unknown {
    switch (this.#next()) {
      case '{':
        return this.#object()
      case '[':
        return this.#list()
      case '"':
        return this.#string()
      default:
        return this.#literal()
    }
  }

  #object(): Record<string, unknown> {
    const members: Member[] = []
    this.#at += 1
    while (this.#next() !== '}') {
      if (this.#text[this.#at] === ',') {
        this.#at += 1
        continue
      }
      const name = this.#string()
      this.#next()
      this.#at += 1
      members.push([name, this.#value()])
    }
    this.#at += 1
    const object: Record<string, unknown> = Object.fromEntries(members)
    if (new Set(members.map(([name]) => name)).size < members.length) {
      this.#repeated.set(object, members)
    }
    return object
  }

  #list(): unknown[] {
    const items: unknown[] = []
    this.#at += 1
    while (this.#next() !== ']') {
      if (this.#text[this.#at] === ',') this.#at += 1
      else items.push(this.#value())
    }
    this.#at += 1
    return items
  }

  #string(): string {
    this.#next()
    const start = this.#at
    this.#at = endOfString(this.#text, start) + 1
    return JSON.parse(this.#text.slice(start, this.#at))
  }

  #literal(): unknown {
    const start = this.#at
    while (this.#at < this.#text.length && !',]} \t\r\n'.includes(this.#text[this.#at]!)) {
      this.#at += 1
    }
    const text = this.#text.slice(start, this.#at)
    if (text === 'null') return null
    if (text === 'true' || text === 'false') return text === 'true'
    const isPlain = /^-?[0-9]+$/.test(text) && text.length <= PLAIN_DIGITS_MAX
    return isPlain ? Number(text) : new RawNumber(text)
  }

  /** The next sign that is not white space. */
  #next(): string {
    while (' \t\r\n'.includes(this.#text[this.#at]!)) this.#at += 1
    return this.#text[this.#at]!
  }
}

function collectDuplicates(
  value: unknown,
  path: string,
  repeated: NonNullable<ParsedJson['repeated']>,
  found: Set<string>,
) {
  if (typeof value !== 'object' || value === null || value instanceof RawNumber) return
  if (found.size >= STRICT_FAULTS_MAX) return
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      collectDuplicates(item, `${path}[${index}]`, repeated, found)
    })
    return
  }
  const seen = new Set<string>()
  const told = new Set<string>()
  for (const [name, item] of repeated.get(value) ?? Object.entries(value)) {
    const itemPath = path === '' ? name : `${path}.${name}`
    // Once for each name: to put a path together costs as much as it is long.
    if (seen.has(name) && !told.has(name) && found.size < STRICT_FAULTS_MAX) {
      told.add(name)
      found.add(itemPath.slice(0, PATH_LETTERS_MAX))
    }
    seen.add(name)
    collectDuplicates(item, itemPath, repeated, found)
  }
}
