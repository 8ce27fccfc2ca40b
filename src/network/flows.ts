// UDP has no end of connection: a client that goes on sending keeps the backend it once got, also
// when that is gone, and one that began before there was a backend keeps reaching nobody. Which of
// the kernel's flows contradict the translations of now, whatever happened before. Pure.

import { contains, parseCidr, parseIp } from '../lib/ip.ts'
import type { Backend, Frontend, Translation } from './translations.ts'

/** Who asked whom, and who answers: another than was asked when it was translated. */
export type Flow = { readonly to: Backend; readonly from: Backend }

export type FlowFacts = {
  /** Translations of UDP; others are ignored. */
  readonly translations: readonly Translation[]
  /** Frontends that were translated until just now. */
  readonly gone: readonly Frontend[]
  readonly isOwnAddress: (ip: string) => boolean
  /** Ranges that nobody but us translates to or from. */
  readonly ranges: { readonly pods: string; readonly services: string }
}

/** Says of one flow after the other whether it must be forgotten. */
export function staleFlowTest(facts: FlowFacts): (flow: Flow) => boolean {
  const backendsOf = indexBackends(facts)
  const isPod = rangeTest(facts.ranges.pods)
  const isService = rangeTest(facts.ranges.services)
  return ({ to, from }) => {
    // An address of Services can be this node's own too, but never stands for the node.
    const isNode = !isService(to.ip) && facts.isOwnAddress(to.ip)
    const bound = backendsOf.get(keyOf(to))
    const open = isNode ? backendsOf.get(keyOf({ ...to, ip: '*' })) : undefined
    const answering = keyOf(from)
    if (bound?.has(answering) || open?.has(answering)) return false
    if (bound !== undefined || open !== undefined) return true
    // Nothing is translated there any more. Was it, by us?
    const isTranslated = keyOf(to) !== answering
    return isTranslated && (isService(to.ip) || isPod(from.ip))
  }
}

/** One line of `conntrack -L`; undefined for what is not a UDP flow between IPv4 addresses. */
export function parseFlow(line: string): Flow | undefined {
  if (!line.startsWith('udp ')) return undefined
  const tuple = / src=([0-9.]+) dst=([0-9.]+) sport=(\d+) dport=(\d+)/g
  const [asked, answered] = [...line.matchAll(tuple)]
  if (asked === undefined || answered === undefined) return undefined
  const to = { ip: asked[2]!, port: Number(asked[4]) }
  const from = { ip: answered[1]!, port: Number(answered[3]) }
  return { to, from }
}

/** Forgets all flows of any client from the one to the other. */
export function forgetCommand({ to, from }: Flow): string[] {
  const asked = ['--orig-dst', to.ip, '--orig-port-dst', String(to.port)]
  const answering = ['--reply-src', from.ip, '--reply-port-src', String(from.port)]
  return ['conntrack', '-D', '-f', 'ipv4', '-p', 'udp', ...asked, ...answering]
}

function keyOf({ ip, port }: Backend): string {
  return `${ip} ${port}`
}

/** The backends of all who share a frontend, `*` standing for every address of this node. */
function indexBackends({ translations, gone }: FlowFacts): Map<string, Set<string>> {
  const index = new Map<string, Set<string>>()
  const at = ({ address, port }: Frontend) => {
    const key = keyOf({ ip: address ?? '*', port })
    const backends = index.get(key) ?? new Set()
    index.set(key, backends)
    return backends
  }
  for (const frontend of gone) if (frontend.protocol === 'udp') at(frontend)
  for (const translation of translations) {
    if (translation.protocol !== 'udp') continue
    const backends = at(translation)
    for (const backend of translation.backends) backends.add(keyOf(backend))
  }
  return index
}

function rangeTest(range: string): (ip: string) => boolean {
  const cidr = parseCidr(range)
  return (text) => {
    const ip = parseIp(text)
    return cidr !== undefined && ip !== undefined && contains(cidr, ip)
  }
}
