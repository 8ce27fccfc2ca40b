// A node renews its certificate while it runs, with what it has: no token is needed again.

import { isAbort } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import { renewalMs } from '../pki/credential.ts'
import { type Identity, requestIdentity } from './join.ts'

export type RenewalOptions = {
  url: string
  nodeName: string
  folder: string
  clock: Clock
  log: Log
  random: Random
  /** The identity in use; a renewed one takes its place. */
  holder: { identity: Identity }
}

/** Looked at so often: a wall clock that jumps must not let a certificate run out unseen. */
const CHECK_MS = 60 * 60_000
const RETRY_MS = 10 * 60_000

export function renewal(options: RenewalOptions): Component {
  return { name: 'certificate renewal', start: async (signal) => ({ done: keep(options, signal) }) }
}

async function keep(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, holder, random } = options
  try {
    for (;;) {
      let waitMs = CHECK_MS
      if (renewalMs(holder.identity.cert) <= clock.nowMs()) {
        try {
          holder.identity = await requestIdentity(options, holder.identity, signal)
          log.info('renewed the certificate of this node')
        } catch (error) {
          if (isAbort(error, signal)) throw error
          log.warn('renew the certificate of this node', { error })
          waitMs = RETRY_MS
        }
      }
      // Spread out: nodes that joined together should not come back together.
      await clock.sleep(waitMs * (0.75 + random.next() / 2), signal)
    }
  } catch (error) {
    if (!isAbort(error, signal)) throw error
  }
}
