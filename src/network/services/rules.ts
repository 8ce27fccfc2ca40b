// What Services ask of one node, as data: where clients knock, and who answers whom. Pure.
//
// The choice of endpoints follows KEP-1669 (terminating endpoints serve when nothing else does),
// KEP-2086 (internalTrafficPolicy) and the Service documentation (externalTrafficPolicy).

import type { EndpointSlice, Service, ServicePort } from '../../api/schema/generated/types.ts'
import { type Cidr, contains, formatIp, parseCidr, parseIp } from '../../lib/ip.ts'
import {
  type Backend,
  type Frontend,
  frontendKey,
  type Protocol,
  type Translation,
} from '../translations.ts'

export type ProxySnapshot = {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly nodeName: string
}

/** What becomes of a client's packets. */
export type Action =
  | {
      readonly kind: 'balance'
      readonly backends: readonly Backend[]
      /** The client appears under the address of this node, so that answers come back here. */
      readonly masquerade: boolean
    }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'drop' }

/** Clients stay with the endpoint that they got first. */
export type Affinity = { readonly id: number; readonly lifetimeSeconds: number }

export type ServiceRule = {
  readonly frontend: Frontend
  /** For pods of the cluster and this node itself. */
  readonly inside: Action
  readonly outside: Action
  readonly affinity: Affinity | undefined
  /** Ranges of clients, none within another; undefined: everybody. */
  readonly allowedSources?: readonly string[] | undefined
}

export type ServiceRules = {
  /** By `frontendKey`. */
  readonly rules: ReadonlyMap<string, ServiceRule>
  /** Addresses of endpoints on this node. */
  readonly ownEndpoints: ReadonlySet<string>
}

/** Ports with affinity are numbered in so many bits of the packet's mark. */
export const AFFINITY_BITS = 15
const AFFINITIES_MAX = 2 ** AFFINITY_BITS - 1
const LIFETIME_SECONDS_DEFAULT = 10_800

type Endpoint = Backend & { readonly isHere: boolean }

/** `previous` keeps the numbers of ports with affinity, so that clients stay where they are. */
export function planRules(snapshot: ProxySnapshot, previous?: ServiceRules): ServiceRules {
  const draft = new RulesDraft(previous)
  const slicesOf = groupSlices(snapshot.slices)
  for (const service of snapshot.services) {
    if (!hasClusterIp(service)) continue
    const slices = slicesOf.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? []
    for (const port of service.spec!.ports ?? []) {
      planPort(draft, service, port, endpointsOf(slices, port, snapshot.nodeName))
    }
  }
  return draft.finish()
}

/** What the rules translate, for whoever has to know it without knowing Services. */
export function translationsOf({ rules }: ServiceRules): Translation[] {
  return [...rules.values()].map(({ frontend, inside, outside }) => {
    const actions = inside === outside ? [inside] : [inside, outside]
    const backends = actions.flatMap((action) => (action.kind === 'balance' ? action.backends : []))
    return { ...frontend, backends }
  })
}

function hasClusterIp(service: Service): boolean {
  const { clusterIP, type } = service.spec ?? {}
  // One that was allocated here: `None`, IPv4 or IPv6, and nothing else.
  return type !== 'ExternalName' && clusterIP !== undefined && /^[0-9.]+$/.test(clusterIP)
}

function isIpv4(address: string): boolean {
  return parseIp(address)?.family === 4
}

function groupSlices(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const groups = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const service = slice.metadata.labels?.['kubernetes.io/service-name']
    if (service === undefined || slice.addressType !== 'IPv4') continue
    const key = `${slice.metadata.namespace}/${service}`
    const group = groups.get(key)
    if (group) group.push(slice)
    else groups.set(key, [slice])
  }
  return groups
}

/** The ready endpoints, or when there are none those that still serve while terminating. */
function endpointsOf(
  slices: readonly EndpointSlice[],
  port: ServicePort,
  nodeName: string,
): readonly Endpoint[] {
  const ready = new Map<string, Endpoint>()
  const serving = new Map<string, Endpoint>()
  for (const slice of slices) {
    const found = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))
    if (found?.port === undefined) continue
    for (const { addresses, conditions, nodeName: at } of slice.endpoints ?? []) {
      const ip = addresses[0]!
      const endpoint = { ip, port: found.port, isHere: at === nodeName }
      if (conditions?.ready !== false) ready.set(`${ip}:${found.port}`, endpoint)
      else if (conditions?.serving && conditions.terminating)
        serving.set(`${ip}:${found.port}`, endpoint)
    }
  }
  const chosen = ready.size > 0 ? ready : serving
  return [...chosen.values()].toSorted((a, b) =>
    a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port,
  )
}

function planPort(
  draft: RulesDraft,
  service: Service,
  port: ServicePort,
  endpoints: readonly Endpoint[],
): void {
  const spec = service.spec!
  const protocol = (port.protocol ?? 'TCP').toLowerCase() as Protocol
  const here = endpoints.filter(({ isHere }) => isHere)
  for (const { ip } of here) draft.ownEndpoints.add(ip)

  const within = spec.internalTrafficPolicy === 'Local' ? here : endpoints
  const internal = balance(within, endpoints, false)
  const cluster = { protocol, address: spec.clusterIP!, port: port.port }
  const lifetimeSeconds = lifetimeOf(service)
  draft.add({ frontend: cluster, inside: internal, outside: internal }, lifetimeSeconds)

  const everywhere = balance(endpoints, endpoints, true)
  // Pods and this node itself reach every endpoint; others may have to find one that is here.
  const isLocal = spec.externalTrafficPolicy === 'Local'
  const outside = isLocal ? balance(here, endpoints, false) : everywhere
  const external = { inside: everywhere, outside }
  const externalSeconds = isLocal ? undefined : lifetimeSeconds
  const allowedSources = sourceRanges(spec.loadBalancerSourceRanges)
  for (const address of loadBalancerAddresses(service)) {
    const frontend = { protocol, address, port: port.port }
    draft.addLast({ frontend, ...external, allowedSources }, externalSeconds)
  }
  if (!port.nodePort) return
  const frontend = { protocol, address: undefined, port: port.nodePort }
  draft.add({ frontend, ...external }, externalSeconds)
}

/** Nobody at all refuses; somebody, but none of those who may answer, is silence. */
function balance(
  endpoints: readonly Endpoint[],
  all: readonly Endpoint[],
  masquerade: boolean,
): Action {
  if (all.length === 0) return { kind: 'refuse' }
  if (endpoints.length === 0) return { kind: 'drop' }
  const backends = endpoints.map(({ ip, port }) => ({ ip, port }))
  return { kind: 'balance', backends, masquerade }
}

/** Addresses whose packets come here as they are; a balancer that is a proxy has its own. */
function loadBalancerAddresses({ spec, status }: Service): string[] {
  if (spec?.type !== 'LoadBalancer') return []
  const ingress = status?.loadBalancer?.ingress ?? []
  return ingress.flatMap(({ ip, ipMode }) =>
    ip !== undefined && isIpv4(ip) && ipMode !== 'Proxy' ? [ip] : [],
  )
}

/** undefined when everybody may come. */
function sourceRanges(texts: readonly string[] | undefined): readonly string[] | undefined {
  if (texts === undefined || texts.length === 0) return undefined
  const ranges = texts
    .flatMap((text) => parseCidr(text.trim()) ?? [])
    .filter(({ family }) => family === 4)
    .toSorted((a, b) => (a.base === b.base ? a.prefix - b.prefix : a.base < b.base ? -1 : 1))
  if (ranges.some(({ prefix }) => prefix === 0)) return undefined
  // Two ranges share nothing, or one lies in the other, which comes before it.
  let around: Cidr | undefined
  return ranges.flatMap((range) => {
    const { family, base, prefix } = range
    if (around && contains(around, { family, value: base })) return []
    around = range
    return [`${formatIp({ family, value: base })}/${prefix}`]
  })
}

function lifetimeOf(service: Service): number | undefined {
  if (service.spec?.sessionAffinity !== 'ClientIP') return undefined
  return service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? LIFETIME_SECONDS_DEFAULT
}

class RulesDraft implements ServiceRules {
  readonly rules = new Map<string, ServiceRule>()
  readonly ownEndpoints = new Set<string>()
  readonly #previous: ServiceRules | undefined
  readonly #taken: Set<number>
  readonly #last: (() => void)[] = []

  constructor(previous: ServiceRules | undefined) {
    this.#previous = previous
    const before = [...(previous?.rules.values() ?? [])]
    this.#taken = new Set(before.flatMap(({ affinity }) => affinity?.id ?? []))
  }

  finish(): ServiceRules {
    for (const add of this.#last) add()
    return this
  }

  /** For addresses that others have set: they never come before those that were allocated here. */
  addLast(rule: Omit<ServiceRule, 'affinity'>, lifetimeSeconds: number | undefined): void {
    this.#last.push(() => this.add(rule, lifetimeSeconds))
  }

  /** The first to claim a frontend keeps it. */
  add(rule: Omit<ServiceRule, 'affinity'>, lifetimeSeconds: number | undefined): void {
    const key = frontendKey(rule.frontend)
    if (this.rules.has(key)) return
    const canStick = rule.inside.kind === 'balance' && lifetimeSeconds !== undefined
    const id = canStick ? this.#affinityId(key) : undefined
    const affinity = id === undefined ? undefined : { id, lifetimeSeconds: lifetimeSeconds! }
    this.rules.set(key, { ...rule, affinity })
  }

  /** undefined when all numbers are taken: then that port is served without affinity. */
  #affinityId(key: string): number | undefined {
    const before = this.#previous?.rules.get(key)?.affinity?.id
    if (before !== undefined) return before
    for (let id = 1; id <= AFFINITIES_MAX; id++) {
      if (this.#taken.has(id)) continue
      this.#taken.add(id)
      return id
    }
    return undefined
  }
}
