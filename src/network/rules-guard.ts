// Repairs rules of ours that somebody else changes: whoever reloads a firewall flushes what is not
// his as well. Each owner of rules says which changes concern it and how it writes its rules anew.

import { isAbort } from '../lib/abort.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Nft, NftChange } from './nft.ts'

/** Somebody's rules. */
export type Ward = {
  readonly name: string
  concerns(change: NftChange): boolean
  /** Has them written anew. Must not throw. */
  repair(): void
}

export type RulesGuardDeps = { nft: Nft; clock: Clock; log: Log }

/** A firewall is reloaded in steps: wait until that is over before we repair. */
const REPAIR_AFTER_MS = 500
/** nft listens after some 50 ms; a start waits no longer than this for it. */
const LISTENING_MS_MAX = 5000
const PROBE_MS = 200
const RETRY = { firstMs: 500, maxMs: 30_000 }

export class RulesGuard implements Component {
  readonly name = 'rules guard'
  readonly #deps: RulesGuardDeps
  readonly #backoff: Backoff
  readonly #wards = new Set<Ward>()
  /** How to take back the repair that is due. */
  readonly #due = new Map<Ward, () => void>()
  readonly #listening = Promise.withResolvers<void>()

  constructor(deps: RulesGuardDeps) {
    this.#deps = deps
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  /** Until the returned function is called. */
  guard(ward: Ward): () => void {
    this.#wards.add(ward)
    return () => {
      this.#wards.delete(ward)
      this.#due.get(ward)?.()
      this.#due.delete(ward)
    }
  }

  /** Resolves when nothing can happen unseen any more: rules written from now on are guarded. */
  async start(signal: AbortSignal) {
    const done = this.#run(signal)
    const cancel = this.#deps.clock.after(LISTENING_MS_MAX, () => this.#listening.resolve())
    await this.#listening.promise
    cancel()
    return { done }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    try {
      for (let isFirst = true; ; isFirst = false) {
        const error = await this.#watch(isFirst, signal)
        signal.throwIfAborted()
        log.warn('nft monitor ended; starting it again', error === undefined ? {} : { error })
        await clock.sleep(this.#backoff.next('monitor'), signal)
      }
    } catch (error) {
      if (!isAbort(error, signal)) throw error
    } finally {
      this.#listening.resolve()
      for (const cancel of this.#due.values()) cancel()
      this.#due.clear()
    }
  }

  /** Returns why nft ended, if it said so. */
  async #watch(isFirst: boolean, signal: AbortSignal): Promise<unknown> {
    const listening = Promise.withResolvers<void>()
    let isOver = false
    const over = (error?: unknown) => {
      isOver = true
      listening.resolve()
      return error
    }
    const heard = () => {
      if (isOver) return
      over()
      this.#backoff.reset('monitor')
      if (isFirst) this.#listening.resolve()
      // While nobody listened anything may have changed.
      else this.#suspectAll()
    }
    const changed = (changes: readonly NftChange[]) => {
      this.#suspect((ward) => changes.some((change) => ward.concerns(change)))
    }
    const lost = () => this.#suspectAll()
    const watching = this.#deps.nft.watch({ changed, lost, heard }, signal).then(() => over(), over)
    while (!isOver) await this.#probe(listening.promise, signal)
    return watching
  }

  /** An empty transaction of ours, to hear it, and some time for that. */
  async #probe(heard: Promise<void>, signal: AbortSignal): Promise<void> {
    // When nft fails here it fails for the owners of rules too, and they say so.
    await this.#deps.nft.apply('', signal).catch(() => signal.throwIfAborted())
    const later = Promise.withResolvers<void>()
    const cancel = this.#deps.clock.after(PROBE_MS, later.resolve)
    await Promise.race([heard, later.promise])
    cancel()
    signal.throwIfAborted()
  }

  #suspectAll(): void {
    this.#suspect(() => true)
  }

  #suspect(isSuspect: (ward: Ward) => boolean): void {
    const { clock, log } = this.#deps
    for (const ward of this.#wards) {
      if (this.#due.has(ward) || !isSuspect(ward)) continue
      const repair = () => {
        this.#due.delete(ward)
        log.info('rules were changed by somebody else; writing them anew', { rules: ward.name })
        ward.repair()
      }
      this.#due.set(ward, clock.after(REPAIR_AFTER_MS, repair))
    }
  }
}
