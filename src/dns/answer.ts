// One question about the cluster, answered from a view of it. Pure.
//
// Specification: github.com/kubernetes/dns, docs/specification.md, version 1.1.0. Where that is
// silent, as CoreDNS with its plugin kubernetes (pods insecure).

import type { Answer, Question, SrvAnswer } from 'dns-packet'
import type { EndpointSlice, Service } from '../api/schema/generated/types.ts'
import { formatIp, parseIp } from '../lib/ip.ts'

export interface DnsView {
  service(namespace: string, name: string): Service | undefined
  slices(namespace: string, name: string): readonly EndpointSlice[]
  hasNamespace(namespace: string): boolean
  serviceByIp(ip: string): Service | undefined
  slicesByIp(ip: string): readonly EndpointSlice[]
}

export type DnsAnswer =
  | { kind: 'records'; rcode: 'NOERROR' | 'NXDOMAIN'; answers: Answer[]; additionals: Answer[] }
  /** A CNAME that leads out of the cluster; what it points to is for the forwarder to find. */
  | { kind: 'alias'; alias: Answer; target: string }
  /** Not a name of the cluster. */
  | { kind: 'foreign' }

/** What CoreDNS gives cluster records; long enough to spare a burst, short enough for a rollout. */
const TTL_SECONDS = 5
const SPECIFICATION_VERSION = '1.1.0'

type Endpoint = { ip: string; hostname: string; ports: ReadonlyMap<string, SrvPort> }
type SrvPort = { port: number; protocol: string }
type Context = { view: DnsView; domain: string; question: Question }

/** `domain` without dots at its ends: cluster.local. */
export function answer(question: Question, domain: string, view: DnsView): DnsAnswer {
  const name = question.name.toLowerCase().replace(/\.$/, '')
  const context = { view, domain, question }
  if (name.endsWith('.in-addr.arpa')) return answerReverse(context, name)
  if (name === domain) return found([])
  if (!name.endsWith(`.${domain}`)) return { kind: 'foreign' }
  const labels = name.slice(0, -domain.length - 1).split('.')
  const zone = labels.pop()
  switch (zone) {
    case 'svc':
      return answerService(context, labels)
    case 'pod':
      return answerPod(context, labels)
    case 'dns-version':
      return labels.length === 0 ? found(texts(context)) : missing()
    default:
      return missing()
  }
}

/** `labels` is what stands before `svc`: [endpoint|_port._protocol] service namespace. */
function answerService(context: Context, labels: readonly string[]): DnsAnswer {
  const { view } = context
  const [namespace, name, ...rest] = labels.toReversed()
  if (namespace === undefined) return found([])
  if (name === undefined) return view.hasNamespace(namespace) ? found([]) : missing()
  const service = view.service(namespace, name)
  if (service === undefined) return missing()
  if (service.spec?.type === 'ExternalName') return answerAlias(context, service, rest)
  const isHeadless = service.spec?.clusterIP === 'None'
  const endpoints = isHeadless ? endpointsOf(service, view.slices(namespace, name)) : []
  if (rest.length === 0) return answerName(context, service, endpoints)
  if (rest.length === 1) {
    const one = endpoints.filter((endpoint) => endpoint.hostname === rest[0])
    return one.length === 0 ? missing() : found(addresses(context, ips(one)))
  }
  const [protocol, port] = rest
  if (rest.length > 2 || !protocol!.startsWith('_') || !port!.startsWith('_')) return missing()
  return answerPort(context, service, endpoints, {
    port: port!.slice(1),
    protocol: protocol!.slice(1),
  })
}

function answerName(context: Context, service: Service, endpoints: Endpoint[]): DnsAnswer {
  const { clusterIP, ports = [] } = service.spec ?? {}
  if (context.question.type === 'SRV') {
    const targets = clusterIP === 'None' ? endpoints : [virtualEndpoint(service)]
    const names = clusterIP === 'None' ? portNames(endpoints) : ports.map(portKey)
    return serviceRecords(context, service, targets, names)
  }
  if (clusterIP !== 'None') return found(addresses(context, clusterIP ? [clusterIP] : []))
  return endpoints.length === 0 ? missing() : found(addresses(context, ips(endpoints)))
}

function answerPort(
  context: Context,
  service: Service,
  endpoints: Endpoint[],
  asked: { port: string; protocol: string },
): DnsAnswer {
  const isHeadless = service.spec?.clusterIP === 'None'
  const targets = isHeadless ? endpoints : [virtualEndpoint(service)]
  const key = `${asked.port}/${asked.protocol}`
  if (!targets.some((target) => target.ports.has(key))) return missing()
  return serviceRecords(context, service, targets, [key])
}

function serviceRecords(
  context: Context,
  service: Service,
  targets: readonly Endpoint[],
  keys: readonly string[],
): DnsAnswer {
  if (context.question.type !== 'SRV') return found([])
  const base = `${service.metadata.name}.${service.metadata.namespace}.svc.${context.domain}`
  const answers: Answer[] = []
  const additionals = new Map<string, Answer>()
  const pairs = targets.flatMap((target) =>
    keys.map((key) => ({ target, port: target.ports.get(key) })),
  )
  const known = pairs.filter(({ port }) => port !== undefined)
  for (const { target, port } of known) {
    const host = target.hostname === '' ? base : `${target.hostname}.${base}`
    const weight = Math.floor(100 / known.length)
    const data: SrvAnswer['data'] = { priority: 0, weight, port: port!.port, target: host }
    answers.push({ type: 'SRV', name: context.question.name, ttl: TTL_SECONDS, data })
    additionals.set(host, { type: 'A', name: host, ttl: TTL_SECONDS, data: target.ip })
  }
  return { kind: 'records', rcode: 'NOERROR', answers, additionals: [...additionals.values()] }
}

function answerAlias(context: Context, service: Service, rest: readonly string[]): DnsAnswer {
  if (rest.length > 0) return missing()
  const target = service.spec?.externalName?.replace(/\.$/, '') ?? ''
  const { name } = context.question
  return { kind: 'alias', target, alias: { type: 'CNAME', name, ttl: TTL_SECONDS, data: target } }
}

/** `10-42-0-7.namespace.pod`: the address is in the name, the pod need not exist. */
function answerPod(context: Context, labels: readonly string[]): DnsAnswer {
  const [namespace, dashed, ...rest] = labels.toReversed()
  if (namespace === undefined) return found([])
  if (!context.view.hasNamespace(namespace)) return missing()
  if (dashed === undefined) return found([])
  const ip = dashed.replaceAll('-', '.')
  if (rest.length > 0 || parseIp(ip)?.family !== 4) return missing()
  return found(addresses(context, [ip]))
}

function answerReverse(context: Context, name: string): DnsAnswer {
  const { view, domain, question } = context
  const ip = name
    .replace(/\.in-addr\.arpa$/, '')
    .split('.')
    .toReversed()
    .join('.')
  const service = view.serviceByIp(ip)
  const names: string[] = []
  if (service) names.push(`${service.metadata.name}.${service.metadata.namespace}.svc.${domain}`)
  for (const slice of view.slicesByIp(ip)) {
    const owner = slice.metadata.labels?.['kubernetes.io/service-name']
    const endpoint = slice.endpoints?.find(({ addresses }) => addresses.includes(ip))
    if (owner === undefined || endpoint?.hostname === undefined) continue
    names.push(`${endpoint.hostname}.${owner}.${slice.metadata.namespace}.svc.${domain}`)
  }
  if (names.length === 0) return { kind: 'foreign' }
  if (question.type !== 'PTR') return found([])
  return found(names.map((data) => ({ type: 'PTR', name: question.name, ttl: TTL_SECONDS, data })))
}

/** Endpoints of a headless Service that may be told: ready ones, or all when it asks for that. */
function endpointsOf(service: Service, slices: readonly EndpointSlice[]): Endpoint[] {
  const all = service.spec?.publishNotReadyAddresses === true
  const endpoints = new Map<string, Endpoint>()
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue
    const ports = new Map((slice.ports ?? []).map((port) => [portKey(port), srvPort(port)]))
    for (const {
      addresses: [ip],
      hostname,
      conditions,
    } of slice.endpoints ?? []) {
      if (!all && conditions?.ready === false) continue
      const known = endpoints.get(ip!)
      endpoints.set(ip!, {
        ip: ip!,
        hostname: hostname ?? ip!.replaceAll('.', '-'),
        ports: new Map([...(known?.ports ?? []), ...ports]),
      })
    }
  }
  return [...endpoints.values()]
}

function virtualEndpoint(service: Service): Endpoint {
  const { clusterIP, ports = [] } = service.spec ?? {}
  const known = new Map(ports.map((port) => [portKey(port), srvPort(port)]))
  return { ip: clusterIP ?? '', hostname: '', ports: known }
}

type AnyPort = { name?: string; port?: number; protocol?: string }

function portKey(port: AnyPort): string {
  return `${port.name ?? ''}/${(port.protocol ?? 'TCP').toLowerCase()}`
}

function srvPort(port: AnyPort): SrvPort {
  return { port: port.port ?? 0, protocol: port.protocol ?? 'TCP' }
}

function portNames(endpoints: readonly Endpoint[]): string[] {
  return [...new Set(endpoints.flatMap((endpoint) => [...endpoint.ports.keys()]))]
}

function ips(endpoints: readonly Endpoint[]): string[] {
  return endpoints.map((endpoint) => endpoint.ip)
}

function addresses({ question }: Context, list: readonly string[]): Answer[] {
  if (question.type !== 'A') return []
  return list.flatMap((text) => {
    const ip = parseIp(text)
    if (ip?.family !== 4) return []
    return [{ type: 'A', name: question.name, ttl: TTL_SECONDS, data: formatIp(ip) }]
  })
}

function texts({ question }: Context): Answer[] {
  if (question.type !== 'TXT') return []
  return [{ type: 'TXT', name: question.name, ttl: TTL_SECONDS, data: SPECIFICATION_VERSION }]
}

function found(answers: Answer[]): DnsAnswer {
  return { kind: 'records', rcode: 'NOERROR', answers, additionals: [] }
}

function missing(): DnsAnswer {
  return { kind: 'records', rcode: 'NXDOMAIN', answers: [], additionals: [] }
}
