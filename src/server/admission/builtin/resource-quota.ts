// New objects fit into what their namespace may use. (upstream plugin ResourceQuota)
//
// A write is charged before it is made: its costs are added to the status of each quota that it
// falls under, if that still stands as it was read. Those of one namespace take turns, so that many
// at once cost one write of the quota and never lose a race against each other.

import { resourceQuotas } from '../../../api/kinds/core/resourcequota/row.ts'
import type { Charge } from '../../../api/quota/contract.ts'
import type { ResourceQuota } from '../../../api/schema/generated/types.ts'
import { conflict } from '../../../api/status.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Entry, Store } from '../../../store/store.ts'
import { writeOwnStatus } from '../../storage/own-status.ts'
import type { NamespacedCache } from '../../storage/reader.ts'
import { decodeStored, storeKey } from '../../storage/stored.ts'
import type { AdmissionPlugin, Attributes } from '../chain.ts'
import { type Account, accountOf, askedCharge, chargedQuota, planCharge } from './quota-check.ts'

/** Others that write the same quota are the controller and people. */
const ATTEMPTS_MAX = 10

export type QuotaDeps = {
  store: Store
  clock: Clock
  quotas: NamespacedCache<ResourceQuota>
}

export function resourceQuota(deps: QuotaDeps): AdmissionPlugin {
  const turns = new ChargingTurns(deps)
  return {
    name: 'ResourceQuota',
    handles: ['CREATE', 'UPDATE'],
    validate(attributes) {
      if (deps.quotas.inNamespace(attributes.namespace).length === 0) return
      const charge = askedCharge(attributes)
      return charge && turns.charge(charge, attributes)
    },
  }
}

/** As many wait as there are requests in flight, which flow control bounds. */
type Waiting = {
  charge: Charge
  attributes: Attributes
  resolve(): void
  reject(error: unknown): void
}

class ChargingTurns {
  readonly #deps: QuotaDeps
  /** By namespace, while one of them is being charged. */
  readonly #waiting = new Map<string, Waiting[]>()

  constructor(deps: QuotaDeps) {
    this.#deps = deps
  }

  /** Resolves once the write is charged. Throws 403 when it does not fit. */
  charge(charge: Charge, attributes: Attributes): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { charge, attributes, resolve, reject }
    const others = this.#waiting.get(attributes.namespace)
    if (others !== undefined) others.push(waiting)
    else {
      this.#waiting.set(attributes.namespace, [waiting])
      void this.#run(attributes.namespace)
    }
    return promise
  }

  async #run(namespace: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(namespace)!.splice(0)
      if (batch.length === 0) break
      try {
        await this.#settle(batch, this.#entries(namespace))
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#waiting.delete(namespace)
  }

  /** The newest of each; what the cache has of them may be older. */
  #entries(namespace: string): Entry[] {
    return this.#deps.quotas.inNamespace(namespace).flatMap(({ metadata }) => {
      const key = storeKey(resourceQuotas, namespace, metadata.name ?? '')
      return this.#deps.store.get(key) ?? []
    })
  }

  /** Answers all of `batch`. Throws when it cannot. */
  async #settle(batch: readonly Waiting[], entries: readonly Entry[]): Promise<void> {
    let [waiting, standing] = [batch, entries]
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const before = standing.map((entry) => accountOf(entry, quotaOf(entry)))
      const { after, paying } = this.#evaluate(before, waiting)
      const changed = after.filter((account, index) => account !== before[index])
      const lost = await this.#write(changed)
      // Those who lost a race are charged again, to the quotas that were written by others.
      if (lost.length === 0 || paying.length === 0) {
        for (const { resolve } of paying) resolve()
        return
      }
      waiting = paying
      standing = lost.flatMap(({ current }) => current ?? [])
    }
    const names = standing.map((entry) => quotaOf(entry).metadata.name)
    throw conflict(resourceQuotas, names.join(','))
  }

  /** Answers those who do not fit, and those who pay nothing. */
  #evaluate(before: readonly Account[], batch: readonly Waiting[]) {
    const nowMs = this.#deps.clock.nowMs()
    const paying: Waiting[] = []
    let after = before
    for (const waiting of batch) {
      const { charge, attributes, resolve, reject } = waiting
      try {
        const next = planCharge(after, charge, attributes, nowMs)
        if (attributes.dryRun || next === after) resolve()
        else {
          after = next
          paying.push(waiting)
        }
      } catch (error) {
        reject(error)
      }
    }
    return { after, paying }
  }

  /** Returns what stands in the place of those that somebody else has written meanwhile. */
  async #write(accounts: readonly Account[]): Promise<{ current: Entry | undefined }[]> {
    const nowMs = this.#deps.clock.nowMs()
    const results = await Promise.all(
      accounts.map((account) => {
        const { entry } = account
        const object = chargedQuota(account)
        return writeOwnStatus(this.#deps.store, resourceQuotas, { entry, object, nowMs })
      }),
    )
    return results.flatMap((result) => (result.ok ? [] : [{ current: result.current }]))
  }
}

function quotaOf(entry: Entry): ResourceQuota {
  return decodeStored(resourceQuotas, entry) as unknown as ResourceQuota
}
