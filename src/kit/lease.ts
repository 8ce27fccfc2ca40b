// Leases: a sign of life that is renewed, and the right to be the only one at work.

import type { Lease } from '../api/generated/types.ts'
import { leases } from '../api/resources/leases.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../api/status.ts'
import { formatMicroTime } from '../api/time.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Client } from './client.ts'

export type LeaderOptions = {
  client: Client
  clock: Clock
  log: Log
  namespace: string
  name: string
  /** Different in every process, also in two of one machine. */
  identity: string
}

/** Upstream's numbers: the lease lasts 15 s, is given up after 10 s, and looked at every 2 s. */
export const LEASE_MS = 15_000
const RENEW_MS_MAX = 10_000
const RETRY_MS = 2_000

/** What a contender has seen of the lease, by its own clock: others' are often wrong. */
export type Seen = { lease: Lease; changedAtMs: number }

/**
 * Waits for the lease, runs `lead` while holding it, and returns when `signal` aborts. When the
 * lease is lost, the signal of `lead` aborts, and waiting begins again once `lead` has ended.
 */
export async function leadWhenElected(
  options: LeaderOptions,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let seen: Seen | undefined
  while (!signal.aborted) {
    const held = await tryToHold(options, seen, signal)
    seen = held.seen
    if (!held.isMine) {
      await options.clock.sleep(RETRY_MS, signal).catch(() => {})
      continue
    }
    options.log.info('leading', { lease: options.name })
    const term = new AbortController()
    const leading = lead(AbortSignal.any([signal, term.signal]))
    await keep(options, seen, signal, leading)
    term.abort(new Error('the lease was lost'))
    await leading
  }
}

/** Renews until that failed for too long, `lead` ended or `signal` aborts. */
async function keep(
  options: LeaderOptions,
  held: Seen | undefined,
  signal: AbortSignal,
  leading: Promise<void>,
): Promise<void> {
  const { clock } = options
  let seen = held
  let renewedMs = clock.monotonicMs()
  let isOver = false
  leading.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  while (!signal.aborted && !isOver && clock.monotonicMs() - renewedMs < RENEW_MS_MAX) {
    await clock.sleep(RETRY_MS, signal).catch(() => {})
    const { isMine, seen: now } = await tryToHold(options, seen, signal)
    seen = now
    if (isMine) renewedMs = clock.monotonicMs()
    else if (now !== undefined && now.lease.spec.holderIdentity !== options.identity) return
  }
}

async function tryToHold(options: LeaderOptions, seen: Seen | undefined, signal: AbortSignal) {
  const { client, clock, namespace, name } = options
  try {
    const lease = await client.get(leases, { namespace, name }, signal)
    const now = look(lease, seen, clock.monotonicMs())
    if (!mayTake(now, options.identity, clock.monotonicMs())) return { isMine: false, seen: now }
    const taken = await client.update(leases, takenLease(lease, options), signal)
    return { isMine: true, seen: { lease: taken, changedAtMs: clock.monotonicMs() } }
  } catch (error) {
    if (isNotFound(error)) return tryToCreate(options, signal)
    const isExpected = isConflict(error) || signal.aborted
    if (!isExpected) options.log.warn('renew lease failed', { lease: name, error })
    return { isMine: false, seen }
  }
}

async function tryToCreate(options: LeaderOptions, signal: AbortSignal) {
  const { namespace, name, client, clock } = options
  try {
    const draft = takenLease({ metadata: { namespace, name }, spec: {} }, options)
    const lease = await client.create(leases, draft, signal)
    return { isMine: true, seen: { lease, changedAtMs: clock.monotonicMs() } }
  } catch (error) {
    if (!isAlreadyExists(error)) options.log.warn('create lease failed', { lease: name, error })
    return { isMine: false, seen: undefined }
  }
}

function look(lease: Lease, seen: Seen | undefined, nowMs: number): Seen {
  const isSame = seen?.lease.metadata.resourceVersion === lease.metadata.resourceVersion
  return { lease, changedAtMs: isSame && seen ? seen.changedAtMs : nowMs }
}

/** Ours, nobody's, or not renewed for as long as it lasts. */
export function mayTake({ lease, changedAtMs }: Seen, identity: string, nowMs: number): boolean {
  const { holderIdentity = '', leaseDurationSeconds } = lease.spec
  if (holderIdentity === '' || holderIdentity === identity) return true
  const lastsMs = leaseDurationSeconds === undefined ? LEASE_MS : leaseDurationSeconds * 1000
  return nowMs - changedAtMs >= lastsMs
}

function takenLease(lease: Lease, { identity, clock }: LeaderOptions): Lease {
  const { spec } = lease
  const isMine = spec.holderIdentity === identity
  const renewTime = formatMicroTime(clock.nowMs())
  return {
    ...lease,
    spec: {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_MS / 1000,
      acquireTime: isMine ? (spec.acquireTime ?? renewTime) : renewTime,
      renewTime,
      leaseTransitions: (spec.leaseTransitions ?? 0) + (isMine || !spec.holderIdentity ? 0 : 1),
    },
  }
}
