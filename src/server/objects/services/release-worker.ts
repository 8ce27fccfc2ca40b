// Takes back what Services leave behind, beside the writes that make and remove them; and at the
// start brings claims and Services together, whatever happened while nobody was there.

import type { Clock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import type { AddressClaims, ServiceName } from './address-claims.ts'
import type { PortClaims } from './port-claims.ts'

export type Claims = { addresses: AddressClaims; ports: PortClaims }

/** Offsets in the range of addresses, and node ports. */
export type Uses = { addresses: number[]; ports: number[] }

export type ReleaseDeps = {
  claims: Claims
  clock: Clock
  log: Log
  /** What stored Services have. */
  uses: () => readonly { service: ServiceName; uses: Uses }[]
  addressOf: (offset: number) => string
  isAddressUsed: (offset: number) => boolean
  isPortUsed: (port: number) => boolean
}

const RETRY_MS = 10_000

export class ReleaseWorker {
  readonly #deps: ReleaseDeps
  /** At most what Services have had. */
  readonly #released: { service: ServiceName; offset: number }[] = []
  #wake: () => void = () => {}

  constructor(deps: ReleaseDeps) {
    this.#deps = deps
  }

  /** Ports have no owner written beside them: which are left over is seen when they are read. */
  release(service: ServiceName, offsets: readonly number[]): void {
    for (const offset of offsets) this.#released.push({ service, offset })
    this.#wake()
  }

  /** Returns when `signal` aborts. What fails is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    let isRepaired = false
    while (!signal.aborted) {
      let againInMs: number | undefined
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      try {
        if (!isRepaired) await this.#repair()
        isRepaired = true
        againInMs = await this.#pass()
      } catch (error) {
        if (signal.aborted) return
        log.warn('take back addresses and node ports of Services', { error })
        againInMs = RETRY_MS
      }
      if (signal.aborted) return
      const cancel = againInMs === undefined ? () => {} : clock.after(againInMs, woken.resolve)
      await woken.promise
      cancel()
    }
  }

  async #pass(): Promise<number | undefined> {
    const { claims, addressOf, isAddressUsed, isPortUsed } = this.#deps
    for (let next = this.#released[0]; next !== undefined; next = this.#released[0]) {
      const { service, offset } = next
      if (!isAddressUsed(offset)) await claims.addresses.giveBack(addressOf(offset), service)
      this.#released.shift()
    }
    return claims.ports.clean(isPortUsed)
  }

  /** A store from before there were claims has none; a crash leaves some that nobody needs. */
  async #repair(): Promise<void> {
    const { claims, addressOf, uses, log } = this.#deps
    const all = uses()
    await claims.ports.repair(all.flatMap(({ uses }) => uses.ports))
    const missing = all.flatMap(({ service, uses }) =>
      uses.addresses.map(addressOf).flatMap((ip) => {
        return claims.addresses.isTaken(ip) ? [] : [claims.addresses.take(ip, service)]
      }),
    )
    await Promise.all(missing)
    for (const left of claims.addresses.abandoned()) {
      log.info('an address that no Service has is free again', { address: left.ip })
      await claims.addresses.giveBack(left.ip, left.service)
    }
  }
}
