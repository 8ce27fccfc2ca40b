// What a target of made-up input is, and what counts as stumbling over it.

import { SystemClock } from '../../src/lib/clock.ts'
import type { Random } from '../../src/lib/random.ts'

export type Target = {
  name: string
  /** One input, as text that a person can send again. */
  make(random: Random): { shown: string; run: () => unknown }
}

/** Faults of our own making, as opposed to refusals. */
const OURS = [TypeError, RangeError, ReferenceError, SyntaxError]
/** Whatever is over, is over by then, on the slowest machine. */
const END_MS_MAX = 20_000

export class Found extends Error {}

/** To refuse is right; to stumble is not. */
export async function refused(run: () => unknown): Promise<void> {
  try {
    await run()
  } catch (error) {
    notOurs(error)
  }
}

/** Why something ended must be a reason that we have thought of. */
export function notOurs(error: unknown): void {
  if (error instanceof Found) throw error
  // `ws` refuses what breaks the rules of RFC 6455 with errors of its own, by this name.
  if (/^WS_ERR_/.test((error as { code?: string })?.code ?? '')) return
  const stumbled = OURS.some((kind) => (error as Error)?.constructor === kind)
  if (stumbled) throw new Found(`${(error as Error).stack}`)
}

/** What never ends keeps what it holds for ever. */
export async function ended<T>(work: Promise<T>): Promise<T> {
  const clock = new SystemClock()
  const late = Promise.withResolvers<never>()
  const cancel = clock.after(END_MS_MAX, () => late.reject(new Found('does not come to an end')))
  try {
    return await Promise.race([work, late.promise])
  } finally {
    cancel()
  }
}
