// Addresses of Services as objects: the IPAddress of a name can be made but once, by whichever
// server, so no two Services get the same (KEP-1880). It goes when its Service does.

import { services } from '../../../api/kinds/core/service/row.ts'
import { ipAddresses } from '../../../api/kinds/networking/ipaddress/row.ts'
import type { IPAddress, Service } from '../../../api/schema/generated/types.ts'
import { formatTime, parseTime } from '../../../api/time.ts'
import type { Clock } from '../../../lib/clock.ts'
import { parseIp } from '../../../lib/ip.ts'
import type { Random } from '../../../lib/random.ts'
import type { Entry, Store } from '../../../store/store.ts'
import { readObject } from '../../storage/reader.ts'
import type { StoreIndex } from '../../storage/store-feed.ts'
import { encodeStored, storeKey } from '../../storage/stored.ts'

const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by'
const FAMILY = 'ipaddress.kubernetes.io/ip-family'
const MANAGER = 'ipallocator.k8s.io'
/** A Service is written within this time after its address was taken, or never. */
export const GRACE_MS = 60_000
const ATTEMPTS_MAX = 20

export type ServiceName = { namespace: string; name: string }

export class AddressClaims implements StoreIndex {
  readonly storagePrefix = ipAddresses.storagePrefix
  readonly #store: Store
  readonly #clock: Clock
  readonly #random: Random
  readonly #taken = new Set<string>()
  /** Made by this process: it knows itself what became of them. */
  readonly #own = new Set<string>()

  constructor({ store, clock, random }: { store: Store; clock: Clock; random: Random }) {
    this.#store = store
    this.#clock = clock
    this.#random = random
  }

  reset(): void {
    this.#taken.clear()
  }

  put({ key }: Pick<Entry, 'key'>): void {
    this.#taken.add(key.slice(this.storagePrefix.length + 1))
  }

  remove({ key }: Pick<Entry, 'key'>): void {
    const ip = key.slice(this.storagePrefix.length + 1)
    this.#taken.delete(ip)
    this.#own.delete(ip)
  }

  /** A hint for who may choose: somebody seems to have it. */
  isTaken(ip: string): boolean {
    return this.#taken.has(ip)
  }

  /** False when somebody else has it. To be asked only for what no stored Service here uses. */
  async take(ip: string, service: ServiceName): Promise<boolean> {
    const key = storeKey(ipAddresses, '', ip)
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const standing = this.#store.get(key)
      if (standing !== undefined && !this.#isLeft(standing, service)) return false
      const text = this.#text(ip, service)
      // What is left is written anew, also by its own Service: a removal under way then fails.
      const result = standing
        ? await this.#store.update(key, text, standing.revision)
        : await this.#store.create(key, text)
      if (!result.ok) continue
      this.#own.add(ip)
      return true
    }
    return false
  }

  /** Removes what `service` had, unless it is another's by now. */
  async giveBack(ip: string, service: ServiceName): Promise<void> {
    const key = storeKey(ipAddresses, '', ip)
    const entry = this.#store.get(key)
    if (entry === undefined) return
    const { metadata, spec } = JSON.parse(entry.value) as IPAddress
    if (!isManaged(metadata) || !isParent(spec.parentRef, service)) return
    // Of two who made the same Service at once, one was refused; the address is the other's.
    if (this.#hasOwner(spec.parentRef, ip)) return
    // Whoever was quicker has written it anew, and it is theirs.
    await this.#store.delete(key, entry.revision)
  }

  /** Those of Services that have not come in time. */
  abandoned(): { ip: string; service: ServiceName }[] {
    return [...this.#taken].flatMap((ip) => {
      const entry = this.#store.get(storeKey(ipAddresses, '', ip))
      if (entry === undefined) return []
      const { metadata, spec } = JSON.parse(entry.value) as IPAddress
      const { namespace = '', name } = spec.parentRef
      const isLeft = isManaged(metadata) && this.#isAbandoned(metadata, spec)
      return isLeft ? [{ ip, service: { namespace, name } }] : []
    })
  }

  #isAbandoned(metadata: IPAddress['metadata'], { parentRef }: IPAddress['spec']): boolean {
    const ageMs = this.#clock.nowMs() - parseTime(metadata.creationTimestamp ?? '')
    return ageMs > GRACE_MS && !this.#hasOwner(parentRef, metadata.name ?? '')
  }

  /** Whose Service is gone, or never came; theirs who make addresses by hand are never ours. */
  #isLeft({ value }: Entry, service: ServiceName): boolean {
    const { metadata, spec } = JSON.parse(value) as IPAddress
    if (!isManaged(metadata)) return false
    if (isParent(spec.parentRef, service) || this.#own.has(metadata.name ?? '')) return true
    return this.#isAbandoned(metadata, spec)
  }

  #hasOwner({ namespace = '', name }: IPAddress['spec']['parentRef'], ip: string): boolean {
    const owner = readObject<Service>(this.#store, services, { namespace, name })
    return owner?.spec.clusterIPs?.includes(ip) ?? false
  }

  #text(ip: string, { namespace, name }: ServiceName): string {
    const family = parseIp(ip)?.family === 6 ? 'IPv6' : 'IPv4'
    const metadata = {
      name: ip,
      uid: this.#random.uuid(),
      creationTimestamp: formatTime(this.#clock.nowMs()),
      labels: { [FAMILY]: family, [MANAGED_BY]: MANAGER },
    }
    const spec = { parentRef: { resource: services.plural, namespace, name } }
    return encodeStored(ipAddresses, { metadata, spec } as never)
  }
}

function isManaged({ labels }: IPAddress['metadata']): boolean {
  return labels?.[MANAGED_BY] === MANAGER
}

function isParent(parent: IPAddress['spec']['parentRef'], service: ServiceName): boolean {
  const { group, resource, namespace, name } = parent
  const isService = !group && resource === services.plural
  return isService && namespace === service.namespace && name === service.name
}
