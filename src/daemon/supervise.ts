// Starts components in the order given and stops them in reverse.
//
//   start(a) ─► ready(a) ─► start(b) ─► ready(b) ─► … running … ─► stop(b) ─► stop(a)

import { aborted } from '../lib/abort.ts'
import type { Component } from '../lib/component.ts'

/** Called as each component becomes ready, so that start-up can say where the time went. */
export type OnReady = (component: string) => void

/** Returns when `signal` aborts or any component dies. Everything started is stopped first. */
export async function supervise(
  components: readonly Component[],
  onReady: OnReady,
  signal: AbortSignal,
): Promise<void> {
  const started: { stop: AbortController; done: Promise<void> }[] = []
  const death = Promise.withResolvers<never>()
  // The race below may be over before anything dies; then nobody listens, and that is fine.
  death.promise.catch(() => {})
  try {
    for (const component of components) {
      signal.throwIfAborted()
      const stop = new AbortController()
      const { done } = await component.start(stop.signal)
      started.push({ stop, done })
      onReady(component.name)
      done.then(
        () => stop.signal.aborted || death.reject(new Error(`${component.name} stopped by itself`)),
        (cause) => death.reject(new Error(`${component.name} died`, { cause })),
      )
    }
    await Promise.race([death.promise, aborted(signal)])
  } finally {
    for (const { stop, done } of started.reverse()) {
      stop.abort(signal.reason)
      // A death was already reported through the race; here we only wait for the end.
      await done.catch(() => {})
    }
  }
}
