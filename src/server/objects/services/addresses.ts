// Cluster addresses and node ports of Services: chosen when one is written, known from what is
// stored. Source of the rules: pkg/registry/core/service/storage.
//
//   choose, from what this process knows ─► claim, for all servers ─► write the Service
//                                              │ lost: choose again

import { services } from '../../../api/kinds/core/service/row.ts'
import { needsHealthCheck } from '../../../api/kinds/core/service/traits.ts'
import type { Service } from '../../../api/schema/generated/types.ts'
import {
  type ApiError,
  type FieldError,
  fieldError,
  internal,
  invalid,
} from '../../../api/status.ts'
import type { Clock } from '../../../lib/clock.ts'
import { addressAt, type Cidr, formatIp, type Ip, parseIp, sizeOf } from '../../../lib/ip.ts'
import type { Log } from '../../../lib/log.ts'
import type { Random } from '../../../lib/random.ts'
import type { Entry, Store } from '../../../store/store.ts'
import type { StoreIndex } from '../../storage/store-feed.ts'
import { storeKey } from '../../storage/stored.ts'
import type { KindHooks, Undo } from '../hooks.ts'
import { AddressClaims, type ServiceName } from './address-claims.ts'
import { fillFamilies } from './families.ts'
import { NumberPool, type Owner } from './pool.ts'
import { PortClaims } from './port-claims.ts'
import { type Claims, ReleaseWorker, type Uses } from './release-worker.ts'

type Settings = { serviceCidr: Cidr; nodePorts: { first: number; last: number } }
type Deps = { store: Store; clock: Clock; random: Random; log: Log }

/** What a dry run shows for a node port that it does not take. */
const DRY_RUN_PORT = 32_769
/** Larger ranges than this are used only in part; upstream refuses them. */
const RANGE_SIZE_MAX = 1 << 20

export class ServiceAddresses implements StoreIndex {
  readonly storagePrefix = services.storagePrefix
  readonly #settings: Settings
  readonly #addresses: NumberPool
  readonly #ports: NumberPool
  readonly #known = new Map<Owner, Uses>()
  readonly #claims: Claims
  readonly #worker: ReleaseWorker

  constructor(settings: Settings, deps: Deps) {
    this.#settings = settings
    const { store, clock, random, log } = deps
    const claims = {
      addresses: new AddressClaims({ store, clock, random }),
      ports: new PortClaims(store, clock, settings.nodePorts),
    }
    this.#claims = claims
    this.#worker = new ReleaseWorker({
      claims,
      clock,
      log,
      uses: () => [...this.#known].map(([key, uses]) => ({ service: nameIn(key), uses })),
      addressOf: (offset) => formatIp(addressAt(settings.serviceCidr, offset)),
      isAddressUsed: (offset) => !this.#addresses.isUnused(offset),
      isPortUsed: (port) => !this.#ports.isUnused(port),
    })
    const { serviceCidr, nodePorts } = settings
    // Without the first address of the range and, for IPv4, without the last.
    const size = Math.min(Number(sizeOf(serviceCidr)), RANGE_SIZE_MAX) - 2
    this.#addresses = new NumberPool({ first: 1, size, bandSize: bandOf(size, 16, 256) }, random)
    const portCount = nodePorts.last - nodePorts.first + 1
    const bandSize = bandOf(portCount, 32, 128)
    this.#ports = new NumberPool({ first: nodePorts.first, size: portCount, bandSize }, random)
  }

  readonly hooks: KindHooks = {
    beginCreate: (_request, object, dryRun) =>
      this.#begin(object as unknown as Service, undefined, dryRun),
    beginUpdate: (_request, object, old, dryRun) =>
      this.#begin(object as unknown as Service, old as unknown as Service, dryRun),
  }

  /** This one, and that of the addresses as objects. */
  get indexes(): readonly StoreIndex[] {
    return [this, this.#claims.addresses]
  }

  /** Takes back what Services leave behind, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#worker.run(signal)
  }

  reset(): void {
    this.#addresses.clear()
    this.#ports.clear()
    this.#known.clear()
  }

  put({ key, value }: Entry): void {
    const before = this.#known.get(key)
    this.#forget(key)
    const uses = this.#usesOf(JSON.parse(value))
    this.#known.set(key, uses)
    for (const number of uses.addresses) this.#addresses.use(number, key)
    for (const number of uses.ports) this.#ports.use(number, key)
    if (before !== undefined) this.#release(key, before)
  }

  remove({ key }: Pick<Entry, 'key'>): void {
    const before = this.#known.get(key)
    this.#forget(key)
    if (before !== undefined) this.#release(key, before)
  }

  #forget(key: string): void {
    const uses = this.#known.get(key)
    for (const number of uses?.addresses ?? []) this.#addresses.free(number, key)
    for (const number of uses?.ports ?? []) this.#ports.free(number, key)
    this.#known.delete(key)
  }

  /** What it had and has no more. */
  #release(key: string, { addresses, ports }: Uses): void {
    const left = addresses.filter((offset) => this.#addresses.isUnused(offset))
    const hasPorts = ports.some((port) => this.#ports.isUnused(port))
    if (left.length > 0 || hasPorts) this.#worker.release(nameIn(key), left)
  }

  async #begin(service: Service, old: Service | undefined, dryRun: boolean): Promise<Undo> {
    if (old !== undefined) keepGiven(service, old)
    syncAddresses(service, old)
    const errors = fillFamilies(service, old)
    if (errors.length > 0) throw refused(service, errors)
    const { namespace = '', name = '' } = service.metadata
    const holding = new Holding(this.#addresses, this.#ports, {
      ...this.#settings,
      claims: this.#claims,
      service: { namespace, name },
      dryRun,
      owner: storeKey(services, namespace, name),
    })
    try {
      if (wantsAddress(service, old)) await holding.address(service)
      await holding.claimedPorts(() => {
        if (wantsPorts(service)) holding.ports(service)
        if (needsHealthCheck(service) && !(old && needsHealthCheck(old))) {
          holding.healthPort(service)
        }
      }, service)
    } catch (error) {
      await holding.undo()
      throw error
    }
    return () => holding.undo()
  }

  #usesOf({ spec }: Service): Uses {
    const addresses = (spec.clusterIPs ?? []).flatMap((text) => {
      const offset = offsetIn(this.#settings, parseIp(text))
      return offset === undefined ? [] : [offset]
    })
    const ports = (spec.ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : []))
    if (spec.healthCheckNodePort) ports.push(spec.healthCheckNodePort)
    return { addresses, ports }
  }
}

/** Of a store key. */
function nameIn(key: string): ServiceName {
  const [namespace = '', name = ''] = key.slice(services.storagePrefix.length + 1).split('/')
  return { namespace, name }
}

/** The lower part of a range, kept for those who ask for a certain number of it. */
function bandOf(size: number, part: number, max: number): number {
  return Math.min(Math.max(16, Math.floor(size / part)), max)
}

function offsetIn({ serviceCidr }: Settings, ip: Ip | undefined): number | undefined {
  if (ip === undefined || ip.family !== serviceCidr.family) return undefined
  const offset = ip.value - serviceCidr.base
  return offset >= 0n && offset < sizeOf(serviceCidr) ? Number(offset) : undefined
}

/** Who sends a Service without what we gave it keeps that. */
function keepGiven({ spec }: Service, { spec: before }: Service): void {
  if (before.type !== 'ExternalName' && spec.type !== 'ExternalName') {
    if (!spec.clusterIP && before.clusterIP) spec.clusterIP = before.clusterIP
    if (!spec.clusterIPs?.length && before.clusterIPs?.length) spec.clusterIPs = before.clusterIPs
  }
  if (mayHavePorts(before) && mayHavePorts(spec)) keepPorts(spec, before)
  if (isLocalBalancer(before) && isLocalBalancer(spec) && before.healthCheckNodePort) {
    spec.healthCheckNodePort ??= before.healthCheckNodePort
  }
}

type Spec = Service['spec']

function mayHavePorts(spec: Spec): boolean {
  if (spec.type === 'NodePort') return true
  return spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false
}

function isLocalBalancer(spec: Spec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}

function keepPorts(spec: Spec, before: Spec): void {
  const asked = new Set((spec.ports ?? []).map((port) => port.nodePort))
  const given = new Map((before.ports ?? []).map((port) => [port.name ?? '', port.nodePort]))
  for (const port of spec.ports ?? []) {
    const kept = given.get(port.name ?? '')
    if (!port.nodePort && kept && !asked.has(kept)) port.nodePort = kept
  }
}

/** Clients may know only clusterIP, or both it and clusterIPs. */
function syncAddresses({ spec }: Service, old: Service | undefined): void {
  if (old === undefined) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    return
  }
  const before = old.spec
  const isSame = String(spec.clusterIPs ?? []) === String(before.clusterIPs ?? [])
  if (
    before.clusterIPs?.length &&
    !spec.clusterIPs?.length &&
    spec.clusterIP === before.clusterIP
  ) {
    spec.clusterIPs = before.clusterIPs
  }
  if (spec.clusterIP === before.clusterIP || !isSame) return
  if (before.clusterIP && !spec.clusterIP) delete spec.clusterIPs
  else if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP]
}

/** An address once given stays; only a Service that had none gets one. */
function wantsAddress({ spec }: Service, old: Service | undefined): boolean {
  if (spec.type === 'ExternalName' || spec.clusterIPs?.[0] === 'None') return false
  return old === undefined || old.spec.type === 'ExternalName'
}

function wantsPorts({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer'
}

function refused(service: Service, errors: readonly FieldError[]): ApiError {
  return invalid(services, service.metadata.name ?? '', errors)
}

type HoldingOptions = Settings & {
  claims: Claims
  service: ServiceName
  owner: Owner
  dryRun: boolean
}

/** Other servers are at it as well: so often a choice is made again. */
const CHOICES_MAX = 100

/** What one write holds until it is stored. */
class Holding {
  readonly #addresses: NumberPool
  readonly #ports: NumberPool
  readonly #options: HoldingOptions
  readonly #heldAddresses: number[] = []
  readonly #heldPorts: number[] = []
  /** Held, and claimed for all servers. */
  readonly #takenPorts: number[] = []
  /** Other servers have given them away. */
  readonly #lostPorts = new Set<number>()

  constructor(addresses: NumberPool, ports: NumberPool, options: HoldingOptions) {
    this.#addresses = addresses
    this.#ports = ports
    this.#options = options
  }

  async undo(): Promise<void> {
    const { dryRun, claims, service } = this.#options
    const addresses = this.#heldAddresses.splice(0)
    const ports = this.#heldPorts.splice(0)
    try {
      for (const number of addresses) await claims.addresses.giveBack(this.#ip(number), service)
      const taken = this.#takenPorts.splice(0)
      if (taken.length > 0) await claims.ports.giveBack(taken)
    } finally {
      for (const number of addresses) this.#addresses.letGo(number)
      if (!dryRun) for (const number of ports) this.#ports.letGo(number)
    }
  }

  async address(service: Service): Promise<void> {
    const { spec } = service
    const [asked] = spec.clusterIPs ?? []
    spec.clusterIP = await (asked === undefined
      ? this.#anyAddress()
      : this.#thisAddress(service, asked))
    spec.clusterIPs = [spec.clusterIP]
  }

  async #anyAddress(): Promise<string> {
    const { serviceCidr, owner, dryRun, claims, service } = this.#options
    if (dryRun) return formatIp(addressAt(serviceCidr, 0))
    const lost = new Set<number>()
    const seems = (offset: number) => lost.has(offset) || claims.addresses.isTaken(this.#ip(offset))
    for (let choice = 0; choice < CHOICES_MAX; choice++) {
      const offset =
        this.#addresses.holdAny(owner, seems) ??
        this.#addresses.holdAny(owner, (number) => lost.has(number))
      if (offset === undefined) break
      if (await this.#claim(offset)) return this.#ip(offset)
      lost.add(offset)
    }
    const name = JSON.stringify(service.name)
    throw internal(`failed to allocate a serviceIP for Service ${name}: range is full`)
  }

  #ip(offset: number): string {
    return formatIp(addressAt(this.#options.serviceCidr, offset))
  }

  /** False when another server was quicker; then it is let go. */
  async #claim(offset: number): Promise<boolean> {
    const { claims, service } = this.#options
    if (await claims.addresses.take(this.#ip(offset), service)) {
      this.#heldAddresses.push(offset)
      return true
    }
    this.#addresses.letGo(offset)
    return false
  }

  async #thisAddress(service: Service, asked: string): Promise<string> {
    const { owner, dryRun } = this.#options
    const fail = (why: string) => {
      const detail = `failed to allocate IP ${asked}: ${why}`
      const { clusterIPs } = service.spec
      return refused(service, [fieldError.invalid('spec.clusterIPs', clusterIPs, detail)])
    }
    const offset = offsetIn(this.#options, parseIp(asked))
    if (offset === undefined || !this.#addresses.has(offset)) {
      throw fail('the provided network does not match the current range')
    }
    if (dryRun) return asked
    const isOurs = this.#addresses.hold(offset, owner) && (await this.#claim(offset))
    if (!isOurs) throw fail('provided IP is already allocated')
    return asked
  }

  /**
   * `choose` holds ports for the Service; then they are claimed. Those that were lost to another
   * server are chosen anew, unless the sender named them.
   */
  async claimedPorts(choose: () => void, service: Service): Promise<void> {
    const { claims, dryRun } = this.#options
    const asked = structuredClone(service.spec)
    for (let choice = 0; choice < CHOICES_MAX; choice++) {
      choose()
      if (dryRun || this.#heldPorts.length === 0) return
      const lost = await claims.ports.take(this.#heldPorts)
      if (lost.length === 0) {
        this.#takenPorts.push(...this.#heldPorts)
        return
      }
      for (const port of this.#heldPorts.splice(0)) this.#ports.letGo(port)
      for (const port of lost) this.#lostPorts.add(port)
      Object.assign(service.spec, structuredClone(asked))
      if (asked.healthCheckNodePort === undefined) delete service.spec.healthCheckNodePort
    }
    throw internal('failed to allocate a nodePort: other servers are always quicker')
  }

  /** Ports of one number get one node port, whatever their protocols. */
  ports(service: Service): void {
    const { spec } = service
    const mayChoose = mayHavePorts(spec)
    const byPort = new Map<number, number>()
    for (const port of spec.ports ?? []) {
      if (port.nodePort && !byPort.has(port.port)) byPort.set(port.port, port.nodePort)
    }
    for (const [i, port] of (spec.ports ?? []).entries()) {
      if (port.nodePort) {
        this.#thisPort(service, `spec.ports[${i}].nodePort`, port.nodePort)
      } else if (mayChoose) {
        const shared = byPort.get(port.port)
        port.nodePort = shared ?? this.#anyPort('nodePort')
        byPort.set(port.port, port.nodePort)
      }
    }
  }

  healthPort(service: Service): void {
    const { spec } = service
    const asked = spec.healthCheckNodePort
    if (!asked) {
      spec.healthCheckNodePort = this.#anyPort('HealthCheck NodePort')
      return
    }
    const why = this.#portFault(asked)
    if (why === undefined) return
    throw internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`)
  }

  #thisPort(service: Service, field: string, asked: number): void {
    const why = this.#portFault(asked)
    if (why !== undefined) throw refused(service, [fieldError.invalid(field, asked, why)])
  }

  #portFault(asked: number): string | undefined {
    const { nodePorts, owner, dryRun } = this.#options
    const isFree = this.#ports.isFree(asked, owner) && !this.#lostPorts.has(asked)
    if (!isFree) return 'provided port is already allocated'
    if (dryRun) return undefined
    if (!this.#ports.has(asked)) {
      const range = `${nodePorts.first}-${nodePorts.last}`
      return `provided port is not in the valid range. The range of valid ports is ${range}`
    }
    // A Service that has it keeps it: nothing is to be claimed, and nothing to be given back.
    if (this.#ports.isUnused(asked)) {
      this.#ports.hold(asked, owner)
      this.#heldPorts.push(asked)
    }
    return undefined
  }

  #anyPort(what: string): number {
    if (this.#options.dryRun) {
      const port = DRY_RUN_PORT + this.#heldPorts.length
      this.#heldPorts.push(port)
      return port
    }
    const port = this.#ports.holdAny(this.#options.owner, (one) => this.#lostPorts.has(one))
    if (port === undefined) throw internal(`failed to allocate a ${what}: range is full`)
    this.#heldPorts.push(port)
    return port
  }
}
