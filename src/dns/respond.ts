// One query in, one reply out, whatever socket it came by.

import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type OptAnswer,
  type Packet,
} from 'dns-packet'
import { type answer, answer as answerQuestion, type DnsView } from './answer.ts'
import type { Forwarder } from './forward.ts'

export type Responder = (
  query: Uint8Array,
  over: 'udp' | 'tcp',
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>

/** The largest reply over UDP to a client that says nothing of EDNS (RFC 1035, 4.2.1). */
const UDP_BYTES = 512
/** What we grant to those that do: fits one Ethernet frame (DNS flag day 2020). */
const UDP_BYTES_MAX = 1232

const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4 } as const
const TRUNCATED = 1 << 9
const RECURSION_DESIRED = 1 << 8
const RECURSION_AVAILABLE = 1 << 7

export function createResponder(domain: string, view: DnsView, forwarder: Forwarder): Responder {
  return async (query, over, signal) => {
    const packet = parse(query)
    if (packet === undefined) return undefined
    const question = packet.questions?.[0]
    if (!isQuery(packet) || packet.questions?.length !== 1 || question === undefined) {
      return reply(packet, { rcode: 'NOTIMP' }, over)
    }
    const found = answerQuestion(question, domain, view)
    if (found.kind === 'foreign') {
      const raw = await forwarder.ask(query, over, signal)
      return raw ?? reply(packet, { rcode: 'SERVFAIL' }, over)
    }
    if (found.kind === 'alias') {
      const rest = await follow(packet, found, over, signal)
      return reply(packet, { rcode: 'NOERROR', answers: [found.alias, ...rest], ours: true }, over)
    }
    const { rcode, answers, additionals } = found
    const authorities = answers.length === 0 ? [startOfAuthority(domain)] : []
    return reply(packet, { rcode, answers, additionals, authorities, ours: true }, over)
  }

  /** What the target of an alias resolves to; nothing when nobody knows. */
  async function follow(
    packet: Packet,
    { target }: Extract<ReturnType<typeof answer>, { kind: 'alias' }>,
    over: 'udp' | 'tcp',
    signal: AbortSignal,
  ): Promise<Answer[]> {
    const question = { ...packet.questions![0]!, name: target }
    if (question.type === 'CNAME') return []
    const inside = answerQuestion(question, domain, view)
    if (inside.kind === 'records') return inside.answers
    if (inside.kind === 'alias') return [inside.alias]
    const query = encode({ type: 'query', id: 1, flags: RECURSION_DESIRED, questions: [question] })
    const raw = await forwarder.ask(query, over, signal)
    return (raw && parse(raw)?.answers) ?? []
  }
}

/** Neither a response nor an opcode other than QUERY. */
function isQuery({ type, flags = 0 }: Packet): boolean {
  return type === 'query' && ((flags >> 11) & 15) === 0
}

type Content = {
  rcode: keyof typeof RCODE
  answers?: Answer[]
  additionals?: Answer[]
  authorities?: Answer[]
  ours?: boolean
}

function reply(query: Packet, content: Content, over: 'udp' | 'tcp'): Uint8Array {
  const { rcode, answers = [], additionals = [], authorities = [], ours = false } = content
  const edns = query.additionals?.find((record) => record.type === 'OPT')
  const flags =
    ((query.flags ?? 0) & RECURSION_DESIRED) |
    RECURSION_AVAILABLE |
    (ours ? AUTHORITATIVE_ANSWER : 0) |
    RCODE[rcode]
  const opt = edns ? [OPT] : []
  const packet: Packet = {
    type: 'response',
    id: query.id ?? 0,
    flags,
    questions: query.questions ?? [],
    answers,
    authorities,
    additionals: [...additionals, ...opt],
  }
  const bytes = encode(packet)
  const asked = (edns as { udpPayloadSize?: number } | undefined)?.udpPayloadSize ?? UDP_BYTES
  const bytesMax = Math.min(Math.max(asked, UDP_BYTES), UDP_BYTES_MAX)
  if (over === 'tcp' || bytes.length <= bytesMax) return bytes
  const cut = {
    ...packet,
    flags: flags | TRUNCATED,
    answers: [],
    authorities: [],
    additionals: opt,
  }
  return encode(cut)
}

const OPT: OptAnswer = {
  type: 'OPT',
  udpPayloadSize: UDP_BYTES_MAX,
  name: '.',
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
}

function startOfAuthority(domain: string): Answer {
  const data = {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: 5,
  }
  return { type: 'SOA', name: domain, ttl: 5, data }
}

/** Undefined for what is no query: it is dropped, as every resolver does. */
function parse(bytes: Uint8Array): Packet | undefined {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    // Anybody can send anything here; nothing of it is worth a word in the log.
    return undefined
  }
}
