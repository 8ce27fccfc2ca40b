// Keeps the status of ResourceQuotas: what is allowed, and how much of it is used.

import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { resourceQuotas } from '../../api/kinds/core/resourcequota/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { type KubeObject, keyOf } from '../../api/object.ts'
import { type Amounts, parseAmounts, sameAmounts } from '../../api/quota/amounts.ts'
import { chargeOf, looksInside } from '../../api/quota/charge.ts'
import { hasOtherCost } from '../../api/quota/claim-charge.ts'
import { overdueAtMs } from '../../api/quota/pod-charge.ts'
import type { AnyRow, ResourceRow } from '../../api/resource.ts'
import type { Pod, ResourceQuota } from '../../api/schema/generated/types.ts'
import {
  type Controller,
  defineController,
  type Kinds,
  type Kit,
  type ListOf,
  type Outcome,
  type Watch,
  watching,
} from '../../kit/controller.ts'
import { type Charged, chargesUnderway, planQuota, UNDERWAY_MS } from './quota-plan.ts'
import { countUsage, isIncomplete } from './usage.ts'

/** A quota that changes all the time is counted no more often than this. */
const PAUSE_MS = 1000

/** What was last made of a quota. */
type Seen = { used: Amounts; charges: readonly Charged[]; countedAtMs: number }

const NOTHING: Seen = { used: new Map(), charges: [], countedAtMs: Number.NEGATIVE_INFINITY }

export function resourceQuotaController(kinds: Kinds): Controller<ResourceQuota> {
  const seen = new Map<string, Seen>()

  return defineController<ResourceQuota>({
    name: 'resourcequota-controller',
    reconciles: resourceQuotas,
    watches: [
      changesOf(pods, hasOtherDeadline),
      changesOf(services),
      changesOf(persistentVolumeClaims, hasOtherCost),
    ],
    everyKind: {
      kinds,
      isWanted: (row) => isFollowable(row) && chargeOf(row) !== undefined && !looksInside(row),
      keysOf: quotasBeside,
      // What counts is that there is one.
      matters: ({ type }) => type !== 'updated',
    },

    async reconcile(quota, kit, signal) {
      const key = keyOf(quota)
      const { outcome, ...now } = await count(quota, seen.get(key) ?? NOTHING, kinds, kit, signal)
      seen.set(key, now)
      return outcome
    },

    async reconcileGone(key) {
      seen.delete(key)
    },
  })
}

async function count(
  quota: ResourceQuota,
  last: Seen,
  kinds: Kinds,
  kit: Kit,
  signal: AbortSignal,
): Promise<Seen & { outcome: Outcome }> {
  const nowMs = kit.clock.monotonicMs()
  const used = parseAmounts(quota.status?.used)
  const charges = chargesUnderway(last.charges, last.used, used, nowMs)
  const waitMs = last.countedAtMs + PAUSE_MS - nowMs
  const rows = kinds.rows()
  if (waitMs > 0 && !isIncomplete(quota, rows)) {
    return { used, charges, countedAtMs: last.countedAtMs, outcome: { requeueInMs: waitMs } }
  }
  const counted = countUsage(quota, rows, (row) => objectsOf(row, quota, kit), kit.clock.nowMs())
  const { status, isHeld } = planQuota(quota, counted, charges)
  const isSame =
    sameAmounts(parseAmounts(status.hard), parseAmounts(quota.status?.hard)) &&
    sameAmounts(parseAmounts(status.used), used)
  if (!isSame) await kit.writer.putStatus(resourceQuotas, quota, status, signal)
  const againMs = Math.min(isHeld ? UNDERWAY_MS : Number.POSITIVE_INFINITY, overdueInMs(quota, kit))
  return {
    used: parseAmounts(status.used),
    charges,
    countedAtMs: nowMs,
    outcome: Number.isFinite(againMs) ? { requeueInMs: againMs } : undefined,
  }
}

function objectsOf(row: AnyRow, quota: ResourceQuota, kit: Kit): KubeObject[] | undefined {
  const namespace = quota.metadata.namespace ?? ''
  if (row === resourceQuotas || looksInside(row))
    return kit.list<KubeObject>(row).inNamespace(namespace)
  return kit.listAny(row)?.inNamespace(namespace)
}

/** How long until a pod that is going counts as gone. */
function overdueInMs({ metadata }: ResourceQuota, { list, clock }: Kit): number {
  const nowMs = clock.nowMs()
  const dueMs = list(pods)
    .inNamespace(metadata.namespace ?? '')
    .map((pod) => overdueAtMs(pod) ?? 0)
    .filter((atMs) => atMs >= nowMs)
  return Math.min(...dueMs) + 1 - nowMs
}

function quotasBeside({ metadata }: KubeObject, list: ListOf): string[] {
  return list(resourceQuotas)
    .inNamespace(metadata.namespace ?? '')
    .map(keyOf)
}

/** Changes of what an object costs, or of which quotas it falls under. */
function changesOf<O extends KubeObject>(
  row: ResourceRow<O>,
  isElsewhere: (object: O, old: O) => boolean = () => false,
): Watch {
  const charge = chargeOf(row)!
  return watching<O>(row, quotasBeside, (change) => {
    if (change.type !== 'updated') return true
    const { object, old } = change
    if (object.metadata.deletionTimestamp !== old.metadata.deletionTimestamp) return true
    if (isElsewhere(object, old)) return true
    return !sameAmounts(charge.usage(object, 0), charge.usage(old, 0))
  })
}

function hasOtherDeadline({ spec }: Pod, old: Pod): boolean {
  return spec.activeDeadlineSeconds !== old.spec.activeDeadlineSeconds
}

function isFollowable(row: AnyRow): boolean {
  const needed = ['list', 'watch'] as const
  return row.scope === 'Namespaced' && needed.every((verb) => row.verbs.includes(verb))
}
