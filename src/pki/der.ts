// DER, as far as certificates and signing requests need it (ITU-T X.690).
//
// Small enough to own: the usual packages for X.509 bring a dependency-injection container, a
// polyfill and a tenth of a second at every start, for what are six shapes nested in each other.

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Deeper than any certificate; a bound against hostile input. */
const DEPTH_MAX = 16

/** One element: `raw` with its header, `content` without. */
export type Element = {
  tag: number
  raw: Uint8Array
  content: Uint8Array
  /** Of a constructed element. */
  children: Element[]
}

export class DerError extends Error {
  override readonly name = 'DerError'
}

export function encode(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0)
  return Buffer.concat([Uint8Array.of(tag), encodeLength(length), ...contents])
}

export const sequence = (...items: readonly Uint8Array[]) => encode(TAG.sequence, ...items)
export const octetString = (content: Uint8Array) => encode(TAG.octetString, content)
export const utf8String = (text: string) => encode(TAG.utf8String, Buffer.from(text, 'utf8'))
export const boolean = (value: boolean) => encode(TAG.boolean, Uint8Array.of(value ? 0xff : 0))

/** A non-negative integer from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0)
  const digits = start < 0 ? Uint8Array.of(0) : bytes.subarray(start)
  // A leading one bit would mean a negative number.
  return encode(TAG.integer, ...(digits[0]! >= 0x80 ? [Uint8Array.of(0)] : []), digits)
}

export function bitString(content: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(TAG.bitString, Uint8Array.of(unusedBits), content)
}

export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return encode(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
}

/** Context-specific and constructed, as in `[n] EXPLICIT`. */
export function context(number: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return encode(0xa0 | number, ...contents)
}

/** RFC 5280, 4.1.2.5: UTCTime through 2049, then GeneralizedTime. Whole seconds. */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+Z$/g, '')
  const isShort = digits >= '1950' && digits < '2050'
  const tag = isShort ? TAG.utcTime : TAG.generalizedTime
  return encode(tag, Buffer.from(`${isShort ? digits.slice(2) : digits}Z`, 'ascii'))
}

/** Reads exactly one element that fills `bytes`. Throws `DerError`. */
export function decode(bytes: Uint8Array): Element {
  const { element, end } = decodeAt(bytes, 0, 0)
  if (end !== bytes.length) throw new DerError('trailing data')
  return element
}

function decodeAt(bytes: Uint8Array, start: number, depth: number) {
  if (depth > DEPTH_MAX) throw new DerError('nested too deeply')
  const tag = bytes[start]
  if (tag === undefined) throw new DerError('truncated')
  if ((tag & 0x1f) === 0x1f) throw new DerError('tag numbers above 30 are not used here')
  const { length, next } = decodeLength(bytes, start + 1)
  const end = next + length
  if (end > bytes.length) throw new DerError('truncated')
  const content = bytes.subarray(next, end)
  const children = tag & 0x20 ? decodeAll(content, depth + 1) : []
  return { element: { tag, raw: bytes.subarray(start, end), content, children }, end }
}

function decodeAll(bytes: Uint8Array, depth: number): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const { element, end } = decodeAt(bytes, at, depth)
    elements.push(element)
    at = end
  }
  return elements
}

/** The child at `index`, which must be there and have `tag` if one is given. */
export function child(parent: Element, index: number, tag?: number): Element {
  const found = parent.children[index]
  if (found === undefined) throw new DerError('an element is missing')
  if (tag !== undefined && found.tag !== tag) throw new DerError('an element of another type')
  return found
}

export function readObjectId(element: Element): string {
  if (element.tag !== TAG.oid) throw new DerError('not an object identifier')
  const arcs: number[] = []
  let arc = 0
  for (const byte of element.content) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('an object identifier is too long')
    if (byte & 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const head = arcs[0] ?? 0
  const first = Math.min(Math.floor(head / 40), 2)
  return [first, head - first * 40, ...arcs.slice(1)].join('.')
}

/** The bits of a BIT STRING whose length is a whole number of bytes. */
export function readBitString(element: Element): Uint8Array {
  if (element.tag !== TAG.bitString || element.content[0] !== 0) {
    throw new DerError('not a string of whole bytes')
  }
  return element.content.subarray(1)
}

export function readText(element: Element): string {
  switch (element.tag) {
    case TAG.utf8String:
    case TAG.printableString:
    case TAG.ia5String:
      return new TextDecoder('utf-8', { fatal: true }).decode(element.content)
    case TAG.teletexString:
      return new TextDecoder('latin1').decode(element.content)
    default:
      throw new DerError('a text of an unknown type')
  }
}

/** Milliseconds since 1970. */
export function readTime(element: Element): number {
  const text = Buffer.from(element.content).toString('ascii')
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19'
  const full = element.tag === TAG.utcTime ? century + text : text
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (match === null) throw new DerError('a time of an unknown form')
  const [, year, month, day, hour, minute, second] = match.map(Number)
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
}

function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.of(0x80 | bytes.length, ...bytes)
}

function decodeLength(bytes: Uint8Array, at: number): { length: number; next: number } {
  const first = bytes[at]
  if (first === undefined) throw new DerError('truncated')
  if (first < 0x80) return { length: first, next: at + 1 }
  const count = first & 0x7f
  if (count === 0 || count > 4) throw new DerError('a length of an unknown form')
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + (bytes[at + i] ?? 0)
  if (length < 0x80) throw new DerError('a length that is not as short as it could be')
  return { length, next: at + 1 + count }
}

function base128(arc: number): number[] {
  const digits = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift((rest % 128) | 0x80)
  }
  return digits
}
