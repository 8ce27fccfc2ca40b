// One query in, one reply out, whatever socket it came by.

import { type Answer, decode, encode } from 'dns-packet'
import {
  answer as answerQuestion,
  type DnsAnswer,
  type DnsView,
  startOfAuthority,
  type Zone,
} from './answer.ts'
import type { Asker, Forwarder } from './forward.ts'
import { encodeReply, parseQuery, type Query, type Reply } from './message.ts'

/** The reply; undefined for what wants none. */
export type Responder = (
  query: Uint8Array,
  asker: Asker,
  signal: AbortSignal,
) => Promise<Uint8Array | undefined>

const RECURSION_DESIRED = 1 << 8

export function createResponder(zone: Zone, view: DnsView, forwarder: Forwarder): Responder {
  return async (bytes, asker, signal) => {
    const query = parseQuery(bytes)
    if (query === undefined) return undefined
    if ('refuse' in query) return encodeReply(query.refuse, { rcode: query.rcode }, asker.over)
    if (query.edns && query.edns.version !== 0) {
      return encodeReply(query, { rcode: 'BADVERS' }, asker.over)
    }
    const found = answerQuestion(query.question!, zone, view)
    if (found.kind === 'foreign') {
      const reply = await forwarder.ask(bytes, asker, signal)
      return reply ?? encodeReply(query, { rcode: 'SERVFAIL' }, asker.over)
    }
    const reply = found.kind === 'alias' ? await follow(query, found) : replyOf(found, view)
    return encodeReply(query, reply, asker.over)

    /** With what the target of the alias resolves to outside. */
    async function follow(
      { question }: Query,
      { aliases, target, zone: apex }: Extract<DnsAnswer, { kind: 'alias' }>,
    ): Promise<Reply> {
      const type = question!.type === 'AAAA' ? 'AAAA' : 'A'
      const questions = [{ type, name: target } as const]
      const lookup = encode({ type: 'query', id: 1, flags: RECURSION_DESIRED, questions })
      let raw = await forwarder.ask(lookup, asker, signal)
      // What is cut off here nobody else would ask for again.
      if (raw !== undefined && isCut(raw)) {
        raw = await forwarder.ask(lookup, { ...asker, over: 'tcp' }, signal)
      }
      const rest = raw && answersOf(raw)
      if (rest === undefined) return noRecords(apex)
      return { rcode: 'NOERROR', isOurs: true, answers: [...aliases, ...rest] }
    }
  }
}

function replyOf(found: Extract<DnsAnswer, { kind: 'records' }>, view: DnsView): Reply {
  const { rcode, answers, additionals, zone } = found
  if (rcode === 'REFUSED') return { rcode }
  if (answers.length > 0) return { rcode, isOurs: true, answers, additionals }
  // Before everything was seen once, nothing can be said not to exist.
  const known = rcode === 'NXDOMAIN' && !view.isComplete ? 'SERVFAIL' : rcode
  return { ...noRecords(zone), rcode: known }
}

/** The authority says for how long that may be remembered. */
function noRecords(zone: string): Reply {
  return { rcode: 'NOERROR', isOurs: true, authorities: [startOfAuthority(zone)] }
}

function isCut(reply: Uint8Array): boolean {
  return ((reply[2] ?? 0) & 2) !== 0
}

/** undefined for what is no reply to build on. */
function answersOf(raw: Uint8Array): Answer[] | undefined {
  try {
    const reply = decode(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength))
    const rcode = (reply as { rcode?: string }).rcode
    return rcode === 'NOERROR' || rcode === 'NXDOMAIN' ? (reply.answers ?? []) : undefined
  } catch {
    // A resolver may say anything; nothing of it is worth a word in the log.
    return undefined
  }
}
