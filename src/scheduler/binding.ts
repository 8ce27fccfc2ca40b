// From a choice to a pod that is bound: Reserve, Permit, PreBind, Bind, PostBind.
//
// The pod counts on its node from the first step on. Whatever fails takes everything back, in the
// opposite order.

import type { Pod } from '../api/schema/generated/types.ts'
import { orAbort } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import { isRefusal, open, type PermitWait, type Plugin, type Refused } from './framework.ts'

export type BindingDeps = {
  readonly clock: Clock
  readonly plugins: readonly Plugin[]
  /** The pod counts on the node, or no longer. */
  readonly assume: (pod: Pod, nodeName: string) => void
  readonly forget: (pod: Pod) => void
  /** Lets others know where the pod is going, when it takes a while. Never throws. */
  readonly announce: (pod: Pod, nodeName: string) => Promise<void>
  /** Runs what may take long, so that others need not wait for it. */
  readonly aside: <T>(work: Promise<T>) => Promise<T>
}

/** As upstream: nobody is kept waiting in Permit for longer. */
const PERMIT_MS_MAX = 15 * 60_000

type Waiting = { reject: (refused: Refused) => void }

export class BindingCycle {
  readonly #deps: BindingDeps
  /** Pods that wait in Permit, by UID. */
  readonly #waiting = new Map<string, Waiting>()

  constructor(deps: BindingDeps) {
    this.#deps = deps
  }

  /** Undefined: the pod is bound. A refusal: a plug-in changed its mind. Throws for errors. */
  async run(pod: Pod, nodeName: string, signal: AbortSignal): Promise<Refused | undefined> {
    this.#deps.assume(pod, nodeName)
    let isBound = false
    try {
      const refused = this.#reserve(pod, nodeName) ?? (await this.#permit(pod, nodeName, signal))
      if (refused !== undefined) return refused
      if (this.#deps.plugins.some(({ willPreBind }) => willPreBind?.(pod, nodeName))) {
        await this.#deps.announce(pod, nodeName)
      }
      await this.#preBind(pod, nodeName, signal)
      await this.#bind(pod, nodeName, signal)
      isBound = true
    } finally {
      if (!isBound) this.#takeBack(pod, nodeName)
    }
    for (const { postBind } of this.#deps.plugins) postBind?.(pod, nodeName)
    return undefined
  }

  /** False when the pod does not wait in Permit. */
  reject({ metadata }: Pod, refused: Refused): boolean {
    const waiting = this.#waiting.get(metadata.uid!)
    waiting?.reject(refused)
    return waiting !== undefined
  }

  #reserve(pod: Pod, nodeName: string): Refused | undefined {
    for (const { name: plugin, reserve } of this.#deps.plugins) {
      const refusal = reserve?.(pod, nodeName)
      if (refusal !== undefined) return { ...refusal, plugin }
    }
    return undefined
  }

  /** All are asked before any is waited for: one refusal is enough. */
  async #permit(pod: Pod, nodeName: string, signal: AbortSignal): Promise<Refused | undefined> {
    const waits: { plugin: string; wait: PermitWait }[] = []
    for (const { name: plugin, permit } of this.#deps.plugins) {
      const answer = permit?.(pod, nodeName)
      if (answer === undefined) continue
      if (isRefusal(answer)) return { ...answer, plugin }
      waits.push({ plugin, wait: answer })
    }
    if (waits.length === 0) return undefined
    await this.#deps.announce(pod, nodeName)
    return this.#deps.aside(this.#waitFor(pod, waits, signal))
  }

  async #waitFor(
    { metadata }: Pod,
    waits: readonly { plugin: string; wait: PermitWait }[],
    signal: AbortSignal,
  ): Promise<Refused | undefined> {
    const refused = Promise.withResolvers<Refused>()
    this.#waiting.set(metadata.uid!, { reject: refused.resolve })
    const timers = waits.map(({ plugin, wait }) => {
      const waitMs = Math.min(wait.waitMs, PERMIT_MS_MAX)
      const why = `rejected due to timeout after waiting ${waitMs / 1000}s at plugin ${plugin}`
      return this.#deps.clock.after(waitMs, () => refused.resolve({ ...open(why), plugin }))
    })
    const decided = waits.map(async ({ plugin, wait }) => {
      const refusal = await wait.decided
      if (refusal !== undefined) refused.resolve({ ...refusal, plugin })
    })
    try {
      const allowed = Promise.all(decided).then(() => undefined)
      return await orAbort(Promise.race([refused.promise, allowed]), signal)
    } finally {
      for (const cancel of timers) cancel()
      this.#waiting.delete(metadata.uid!)
    }
  }

  async #preBind(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void> {
    for (const { preBind } of this.#deps.plugins) {
      if (preBind !== undefined) await this.#deps.aside(preBind(pod, nodeName, signal))
    }
  }

  async #bind(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void> {
    for (const { bind } of this.#deps.plugins) {
      if (await bind?.(pod, nodeName, signal)) return
    }
    throw new Error('no plug-in binds the pod')
  }

  #takeBack(pod: Pod, nodeName: string): void {
    for (const { unreserve } of this.#deps.plugins.toReversed()) unreserve?.(pod, nodeName)
    this.#deps.forget(pod)
  }
}
