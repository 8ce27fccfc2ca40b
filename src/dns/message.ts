// Messages of DNS on the wire: queries in, replies out (RFC 1035, RFC 6891).
//
// Queries come from anybody: they are read strictly, in one pass, and no further than needed.
// Replies that are too long for their client are filled as far as they fit.

import { type Answer, encode } from 'dns-packet'

export type Question = {
  /** As it was asked, without the dot at its end; `.` is the root. */
  readonly name: string
  readonly type: QuestionType
}

export type QuestionType = (typeof TYPES)[number] | 'OTHER'

export type Query = {
  readonly id: number
  readonly opcode: number
  /** Bits that a reply repeats: recursion desired, checking disabled. */
  readonly flags: number
  /** undefined when what follows the head is not to be looked at. */
  readonly question: Question | undefined
  /** The question as it came, for the reply. */
  readonly questionBytes: Uint8Array
  readonly edns: Edns | undefined
}

export type Edns = {
  readonly version: number
  readonly bytesMax: number
  readonly isDnssecOk: boolean
}

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const
export type Rcode = keyof typeof RCODE

export type Reply = {
  rcode: Rcode
  /** Whether we are who knows. */
  isOurs?: boolean
  answers?: readonly Answer[]
  authorities?: readonly Answer[]
  additionals?: readonly Answer[]
}

export type Transport = 'udp' | 'tcp'

const TYPES = [
  'A',
  'AAAA',
  'AXFR',
  'CNAME',
  'IXFR',
  'MX',
  'NS',
  'PTR',
  'SOA',
  'SRV',
  'TXT',
] as const
const TYPE_NUMBERS: Readonly<Record<number, (typeof TYPES)[number]>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  251: 'IXFR',
  252: 'AXFR',
}
const OPT = 41
const HEAD_BYTES = 12
const OPT_BYTES = 11
const NAME_BYTES_MAX = 255
const LABEL_BYTES_MAX = 63
/** The largest reply over UDP to a client that says nothing of EDNS. */
const UDP_BYTES = 512
const TCP_BYTES = 65_535

const IS_RESPONSE = 1 << 15
const AUTHORITATIVE = 1 << 10
const TRUNCATED = 1 << 9
const RECURSION_DESIRED = 1 << 8
const CHECKING_DISABLED = 1 << 4
const DNSSEC_OK = 1 << 15

const QUERY = 0
const NOTIFY = 4

/** What was asked; or how to refuse; or undefined for what wants no reply. */
export function parseQuery(bytes: Uint8Array): Query | { refuse: Query; rcode: Rcode } | undefined {
  if (bytes.length < HEAD_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bits = view.getUint16(2)
  if (bits & IS_RESPONSE) return undefined
  const opcode = (bits >> 11) & 15
  const kept = opcode === QUERY ? RECURSION_DESIRED | CHECKING_DISABLED : 0
  const head = { id: view.getUint16(0), opcode, flags: bits & kept }
  const refuse = { ...head, question: undefined, questionBytes: new Uint8Array(), edns: undefined }
  if (opcode !== QUERY && opcode !== NOTIFY) return { refuse, rcode: 'NOTIMP' }
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at))
  // A question, at most one record each beside it, and two more: EDNS and a signature.
  if (counts[0] !== 1 || counts[1]! > 1 || counts[2]! > 1 || counts[3]! > 2) {
    return { refuse, rcode: 'FORMERR' }
  }
  try {
    const reader = new Reader(view, HEAD_BYTES)
    const question = reader.question()
    const questionBytes = bytes.slice(HEAD_BYTES, reader.at)
    let edns: Edns | undefined
    for (let left = counts[1]! + counts[2]! + counts[3]!; left > 0; left--) {
      edns = reader.record() ?? edns
    }
    return { ...head, question, questionBytes, edns }
  } catch (error) {
    if (error instanceof RangeError) return { refuse, rcode: 'FORMERR' }
    throw error
  }
}

/** Throws RangeError at the end of the message, and for what is malformed. */
class Reader {
  readonly #view: DataView
  at: number

  constructor(view: DataView, at: number) {
    this.#view = view
    this.at = at
  }

  question(): Question {
    const labels: string[] = []
    const start = this.at
    for (let length = this.#byte(); length !== 0; length = this.#byte()) {
      // Nothing stands before a question that it could point to.
      if (length > LABEL_BYTES_MAX) throw new RangeError('bad label')
      labels.push(this.#label(length))
      if (this.at - start > NAME_BYTES_MAX - 1) throw new RangeError('name too long')
    }
    const type = TYPE_NUMBERS[this.#word()] ?? 'OTHER'
    // Whatever the class: names of the cluster are the same in each.
    this.#word()
    return { name: labels.length === 0 ? '.' : labels.join('.'), type }
  }

  /** Passes over one record; EDNS is told of. */
  record(): Edns | undefined {
    this.#skipName()
    const type = this.#word()
    const bytesMax = this.#word()
    const [, version] = [this.#byte(), this.#byte()]
    const isDnssecOk = (this.#word() & DNSSEC_OK) !== 0
    const length = this.#word()
    if (this.at + length > this.#view.byteLength) throw new RangeError('record too long')
    this.at += length
    return type === OPT ? { version, bytesMax, isDnssecOk } : undefined
  }

  /** A byte that a name cannot be written with stands as `\ddd`: it is in no name of ours. */
  #label(length: number): string {
    let text = ''
    for (let i = 0; i < length; i++) {
      const byte = this.#byte()
      const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c
      text += isPlain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`
    }
    return text
  }

  #skipName(): void {
    for (let length = this.#byte(); length !== 0; length = this.#byte()) {
      if (length >= 0xc0) {
        this.#byte()
        return
      }
      if (length > LABEL_BYTES_MAX) throw new RangeError('bad label')
      this.at += length
    }
  }

  #byte(): number {
    return this.#view.getUint8(this.at++)
  }

  #word(): number {
    this.at += 2
    return this.#view.getUint16(this.at - 2)
  }
}

/** The reply as far as it fits; marked as cut when something had to be left out. */
export function encodeReply(query: Query, reply: Reply, over: Transport): Uint8Array {
  const { edns, questionBytes } = query
  const asked = over === 'tcp' ? TCP_BYTES : Math.max(edns?.bytesMax ?? 0, UDP_BYTES)
  const bytesMax = asked - (edns ? OPT_BYTES : 0)
  const names = new NameTable(query)
  const parts: Uint8Array[] = []
  let length = HEAD_BYTES + questionBytes.length
  let isCut = false
  const { answers = [], authorities = [], additionals = [] } = reply
  const counts = [answers, authorities, additionals].map((section) => {
    let count = 0
    for (const one of section) {
      const bytes = names.shorten(one)
      isCut ||= length + bytes.length > bytesMax
      if (isCut) break
      parts.push(bytes)
      length += bytes.length
      count++
    }
    return count
  })
  const code = RCODE[reply.rcode]
  const flags =
    IS_RESPONSE |
    (query.opcode << 11) |
    (reply.isOurs ? AUTHORITATIVE : 0) |
    (isCut ? TRUNCATED : 0) |
    query.flags |
    (code & 15)
  const opt = edns ? [encodeOpt(edns, code)] : []
  const words = [query.id, flags, questionBytes.length > 0 ? 1 : 0, ...counts]
  words[5]! += opt.length
  const head = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]))
  return new Uint8Array(Buffer.concat([head, questionBytes, ...parts, ...opt]))
}

/** Says how much the client may be sent, as it said itself. */
function encodeOpt({ bytesMax, isDnssecOk }: Edns, code: number): Uint8Array {
  const [size, high] = [code >= 16 ? 0 : bytesMax, isDnssecOk && code < 16 ? 0x80 : 0]
  return Uint8Array.from([0, 0, OPT, size >> 8, size & 255, code >> 4, 0, high, 0, 0, 0])
}

/**
 * Ends of names that the question holds in the same letters: a record points there instead
 * (RFC 1035, 4.1.4).
 */
class NameTable {
  readonly #offsets = new Map<string, number>()

  constructor({ question }: Query) {
    if (question === undefined || /[\\]|^\.$/.test(question.name)) return
    let offset = HEAD_BYTES
    for (const rest of endsOf(question.name)) {
      this.#offsets.set(rest, offset)
      offset += rest.indexOf('.') === -1 ? rest.length + 1 : rest.indexOf('.') + 1
    }
  }

  shorten(one: Answer): Uint8Array {
    const name = 'name' in one ? one.name : '.'
    for (const rest of endsOf(name)) {
      const offset = this.#offsets.get(rest)
      if (offset === undefined) continue
      const before = name.slice(0, name.length - rest.length)
      const labels = before.split('.').filter((label) => label !== '')
      const texts = labels.map((label) => Buffer.from(`\0${label}`, 'latin1'))
      for (const text of texts) text[0] = text.length - 1
      const pointer = Uint8Array.from([0xc0 | (offset >> 8), offset & 255])
      const body = encodeRecord({ ...one, name: '.' } as Answer).subarray(1)
      return new Uint8Array(Buffer.concat([...texts, pointer, body]))
    }
    return encodeRecord(one)
  }
}

function encodeRecord(one: Answer): Uint8Array {
  return encode({ answers: [one] }).subarray(HEAD_BYTES)
}

/** `a.b.c`, `b.c`, `c`. */
function* endsOf(name: string): Generator<string> {
  for (let at = 0; at < name.length; ) {
    yield name.slice(at)
    const dot = name.indexOf('.', at)
    if (dot === -1) return
    at = dot + 1
  }
}
