// The node's sign of life: a Lease of 40 s, renewed every 10 s.

import { leases } from '../../api/kinds/coordination/lease/row.ts'
import type { Lease } from '../../api/schema/generated/types.ts'
import { ApiError, isNotFound } from '../../api/status.ts'
import { formatMicroTime } from '../../api/time.ts'
import type { Client } from '../../kit/client.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'

export type LeaseDeps = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
  readonly nodeName: string
  readonly nodeUid: () => string | undefined
}

const NAMESPACE = 'kube-node-lease'
const DURATION_SECONDS = 40
const RENEW_MS = 10_000
const RETRY = { firstMs: 200, maxMs: 7_000 }

/** Renews until `signal` aborts. Never rejects. */
export async function keepLease(deps: LeaseDeps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps
  const backoff = new Backoff(clock, RETRY)
  let known: Lease | undefined
  while (!signal.aborted) {
    let waitMs = RENEW_MS
    try {
      known = await renew(deps, known, signal)
      backoff.reset('')
    } catch (error) {
      if (signal.aborted) return
      // Whatever we knew of it may be old: read it again.
      known = undefined
      waitMs = backoff.next('')
      log.warn('renew node lease failed', { waitMs, error })
    }
    await clock.sleep(waitMs, signal).catch(() => {})
  }
}

async function renew(
  deps: LeaseDeps,
  known: Lease | undefined,
  signal: AbortSignal,
): Promise<Lease> {
  const { client, clock, nodeName } = deps
  const lease = known ?? (await read(deps, signal))
  const owner = ownerOf(deps)
  const wanted: Lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      ...(lease?.metadata ?? { name: nodeName, namespace: NAMESPACE }),
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      holderIdentity: nodeName,
      leaseDurationSeconds: DURATION_SECONDS,
      renewTime: formatMicroTime(clock.nowMs()),
    },
  }
  if (lease !== undefined) return client.update(leases, wanted, signal)
  try {
    return await client.create(leases, wanted, signal)
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
    return renew(deps, await read(deps, signal), signal)
  }
}

async function read(
  { client, nodeName }: LeaseDeps,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  try {
    return await client.get(leases, { namespace: NAMESPACE, name: nodeName }, signal)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** So that the lease goes with its node. */
function ownerOf({ nodeName, nodeUid }: LeaseDeps) {
  const uid = nodeUid()
  return uid === undefined ? undefined : { apiVersion: 'v1', kind: 'Node', name: nodeName, uid }
}
