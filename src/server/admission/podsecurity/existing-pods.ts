// What is said when a namespace comes to enforce more: which of its pods would not be let in now.

import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { Pod } from '../../../api/schema/generated/types.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Entry, Store } from '../../../store/store.ts'
import { nextTurn } from '../../../store/turn.ts'
import { portionsOf } from '../../storage/portions.ts'
import { decodeStored, storePrefix } from '../../storage/stored.ts'
import { reasonsText, violationsOf } from './evaluate.ts'
import { formatLevelVersion, type LevelVersion } from './policy.ts'

/** Upstream's: a label must not cost more than this. */
const PODS_MAX = 3000
const TIME_MS_MAX = 1000

export type LookDeps = {
  store: Store
  clock: Clock
  isExempt: (pod: Pod) => boolean
}

type Seen = { name: string; reason: string; isRepeated: boolean }

/** Warnings, in upstream's words and order. Waits between portions, and no longer than a second. */
export async function warningsOfExisting(
  deps: LookDeps,
  namespace: string,
  enforce: LevelVersion,
): Promise<string[]> {
  const { seen, total } = await look(deps, namespace, enforce)
  return plan(namespace, enforce, { seen, total })
}

async function look(
  { store, clock, isExempt }: LookDeps,
  namespace: string,
  enforce: LevelVersion,
) {
  const deadlineMs = clock.monotonicMs() + TIME_MS_MAX
  const seen: Seen[] = []
  const controllers = new Set<string>()
  for (const { entries, remaining } of portionsOf(store, storePrefix(pods, namespace))) {
    for (const entry of entries) {
      const pod = podOf(entry)
      if (!isExempt(pod)) seen.push(evaluated(pod, enforce, controllers))
    }
    if (remaining === 0) break
    if (clock.monotonicMs() > deadlineMs) return { seen, total: seen.length + remaining }
    await nextTurn()
  }
  return { seen, total: seen.length }
}

const podOf = (entry: Entry) => decodeStored(pods, entry) as unknown as Pod

function evaluated(pod: Pod, enforce: LevelVersion, controllers: Set<string>): Seen {
  const { name = '', ownerReferences = [] } = pod.metadata
  const owner = ownerReferences.find(({ controller }) => controller)?.uid
  const isRepeated = owner !== undefined && controllers.has(owner)
  if (owner !== undefined) controllers.add(owner)
  const reason = reasonsText(violationsOf(enforce, pod))
  return { name, reason, isRepeated }
}

/** Of each controller one pod comes first: the others are most likely the same. */
export function plan(
  namespace: string,
  enforce: LevelVersion,
  { seen, total }: { seen: readonly Seen[]; total: number },
): string[] {
  const ordered = [
    ...seen.filter((pod) => !pod.isRepeated),
    ...seen.filter((pod) => pod.isRepeated),
  ]
  const checked = ordered.slice(0, PODS_MAX)
  const named = new Map<string, string[]>()
  for (const { name, reason } of checked) {
    if (reason === '') continue
    const names = named.get(reason)
    if (names) names.push(name)
    else named.set(reason, [name])
  }
  const level = JSON.stringify(formatLevelVersion(enforce))
  const where = `existing pods in namespace ${JSON.stringify(namespace)}`
  const count = `${checked.length} of ${total} existing pods`
  return [
    ...(checked.length < total
      ? [`new PodSecurity enforce level only checked against the first ${count}`]
      : []),
    ...(named.size > 0 ? [`${where} violate the new PodSecurity enforce level ${level}`] : []),
    ...[...named].map(([reason, names]) => `${whichPods(names)}: ${reason}`).sort(),
  ]
}

function whichPods(names: readonly string[]): string {
  const first = names.reduce((least, name) => (name < least ? name : least))
  const others = names.length - 1
  if (others === 0) return first
  return `${first} (and ${others} other ${others === 1 ? 'pod' : 'pods'})`
}
