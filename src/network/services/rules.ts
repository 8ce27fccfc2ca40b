// What the kernel must hold for the Services of a cluster to answer on one node. Pure.
//
// The choice of endpoints follows KEP-1669 (terminating endpoints serve when nothing else does),
// KEP-2086 (internalTrafficPolicy) and the Service documentation (externalTrafficPolicy).

import type { EndpointSlice, Service, ServicePort } from '../../api/schema/generated/types.ts'

export type ProxySnapshot = {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly nodeName: string
}

/** Elements by map (or set: then values are empty), each keyed by its nft text. */
export type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>

export type Ruleset = {
  readonly elements: Elements
  /** Endpoint counts that need a chain and a map, by the family of chains. */
  readonly counts: Readonly<Record<ChainFamily, ReadonlySet<number>>>
  /** Seconds for which clients stick to an endpoint: one learning chain each. */
  readonly lifetimes: ReadonlySet<number>
}

/** s: ClusterIP. p: NodePort, masqueraded. l: NodePort to local endpoints, source kept. */
export type ChainFamily = 's' | 'p' | 'l'

/** The map that the chains of a family look endpoints up in. */
export const ENDPOINT_MAP: Record<ChainFamily, string> = {
  s: 'endpoint',
  p: 'nodeport_endpoint',
  l: 'local_endpoint',
}

/** Marks a packet to be masqueraded on its way out; the bit kube-proxy uses. */
export const MASQUERADE_MARK = 0x4000
/** Sticky ports are numbered in these bits of the mark. */
export const STICKY_SHIFT = 16
const STICKY_COUNT_MAX = 2 ** 15 - 1
const LIFETIME_SECONDS_DEFAULT = 10_800

type Endpoint = { ip: string; port: number; local: boolean }

/** `previous` keeps the numbers of sticky ports stable, so that clients stay where they are. */
export function planRules(snapshot: ProxySnapshot, previous?: Ruleset): Ruleset {
  const draft = new RulesDraft(previous)
  const slicesOf = groupSlices(snapshot.slices)
  for (const service of snapshot.services) {
    if (!hasClusterIp(service)) continue
    const slices = slicesOf.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? []
    for (const port of service.spec!.ports ?? []) {
      planPort(draft, service, port, endpointsOf(slices, port, snapshot.nodeName))
    }
  }
  return draft
}

function hasClusterIp(service: Service): boolean {
  const { clusterIP, type } = service.spec ?? {}
  return type !== 'ExternalName' && clusterIP !== undefined && /^[0-9.]+$/.test(clusterIP)
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
      const endpoint = { ip, port: found.port, local: at === nodeName }
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
  const protocol = (port.protocol ?? 'TCP').toLowerCase()
  const address = `${spec.clusterIP} . ${protocol} . ${port.port}`
  const nodePort = port.nodePort ? `${protocol} . ${port.nodePort}` : undefined
  const local = endpoints.filter((endpoint) => endpoint.local)
  const inside = spec.internalTrafficPolicy === 'Local' ? local : endpoints

  for (const endpoint of local) draft.add('own', `${endpoint.ip} . ${endpoint.ip}`, '')
  if (endpoints.length === 0) {
    draft.add('refused', address, 'goto refuse')
    if (nodePort) draft.add('refused_nodeport', nodePort, 'goto refuse')
    return
  }
  const lifetimeSeconds = lifetimeOf(service)
  if (inside.length === 0) draft.add('refused', address, 'drop')
  else {
    draft.route('s', 'service', address, inside)
    if (lifetimeSeconds) draft.stick('sticky', address, lifetimeSeconds, 0)
  }
  if (nodePort === undefined) return
  if (spec.externalTrafficPolicy !== 'Local') {
    draft.route('p', 'nodeport', nodePort, endpoints)
    if (lifetimeSeconds) {
      draft.stick('nodeport_sticky', nodePort, lifetimeSeconds, MASQUERADE_MARK)
    }
    return
  }
  // Pods and this node itself reach every endpoint; others only those that are here.
  draft.route('p', 'nodeport_inside', nodePort, endpoints)
  if (local.length === 0) draft.add('refused_nodeport_outside', nodePort, 'drop')
  else draft.route('l', 'nodeport', nodePort, local)
}

function lifetimeOf(service: Service): number | undefined {
  if (service.spec?.sessionAffinity !== 'ClientIP') return undefined
  return service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? LIFETIME_SECONDS_DEFAULT
}

class RulesDraft implements Ruleset {
  readonly elements = new Map<string, Map<string, string>>()
  readonly counts: Record<ChainFamily, Set<number>>
  readonly lifetimes: Set<number>
  readonly #previous: Elements | undefined
  readonly #taken: Set<number>

  constructor(previous: Ruleset | undefined) {
    // Chains that the kernel has are kept: they cost nothing, and removing them could fail.
    const { s, p, l } = previous?.counts ?? {}
    this.counts = { s: new Set(s), p: new Set(p), l: new Set(l) }
    this.lifetimes = new Set(previous?.lifetimes)
    this.#previous = previous?.elements
    this.#taken = new Set()
    for (const map of ['sticky', 'nodeport_sticky']) {
      for (const mark of previous?.elements.get(map)?.values() ?? [])
        this.#taken.add(stickyId(mark))
    }
  }

  /** The first to claim a key keeps it, as in the kernel. */
  add(map: string, key: string, value: string): void {
    let elements = this.elements.get(map)
    if (elements === undefined) {
      elements = new Map()
      this.elements.set(map, elements)
    }
    if (!elements.has(key)) elements.set(key, value)
  }

  route(family: ChainFamily, map: string, key: string, endpoints: readonly Endpoint[]): void {
    if (this.elements.get(map)?.has(key)) return
    const count = endpoints.length
    this.counts[family].add(count)
    this.add(map, key, `goto ${family}${count}`)
    endpoints.forEach(({ ip, port }, i) => {
      this.add(`${ENDPOINT_MAP[family]}${count}`, `${key} . ${i}`, `${ip} . ${port}`)
    })
  }

  stick(map: string, key: string, lifetimeSeconds: number, bits: number): void {
    const before = this.#previous?.get(map)?.get(key)
    const id = before === undefined ? this.#freeId() : stickyId(before)
    if (id === undefined) return
    this.#taken.add(id)
    this.lifetimes.add(lifetimeSeconds)
    const mark = (id << STICKY_SHIFT) >>> 0
    this.add(map, key, hex(mark | bits))
    this.add('lifetime', hex(mark), `goto learn${lifetimeSeconds}`)
  }

  /** Undefined when all numbers are taken: then that port is served without affinity. */
  #freeId(): number | undefined {
    for (let id = 1; id <= STICKY_COUNT_MAX; id++) if (!this.#taken.has(id)) return id
    return undefined
  }
}

function stickyId(mark: string): number {
  return Number(mark) >>> STICKY_SHIFT
}

/** As nft prints marks. */
function hex(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`
}
