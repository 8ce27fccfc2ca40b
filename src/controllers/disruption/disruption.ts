// Says of each PodDisruptionBudget how many of its pods may go now.

import { pods } from '../../api/kinds/core/pod/row.ts'
import { podDisruptionBudgets } from '../../api/kinds/policy/poddisruptionbudget/row.ts'
import { keyOf } from '../../api/object.ts'
import type { Pod, PodDisruptionBudget } from '../../api/schema/generated/types.ts'
import { isReadableSelector, matchesLabels } from '../../api/validation/labels.ts'
import {
  type Controller,
  defineController,
  type Kinds,
  type Kit,
  type ListOf,
  watching,
} from '../../kit/controller.ts'
import type { Change } from '../../kit/informer.ts'
import { messageOf } from '../failures.ts'
import { isReady } from '../pods.ts'
import { planBudget, planFailure, shownSelector, wantsScale } from './budget-plan.ts'
import { SCALED_KINDS, type Scale, scaleOf } from './scales.ts'

export function disruptionController(kinds: Kinds): Controller<PodDisruptionBudget> {
  return defineController<PodDisruptionBudget>({
    name: 'disruption-controller',
    speaksAs: 'controllermanager',
    reconciles: podDisruptionBudgets,
    watches: [watching(pods, budgetsOf, isNews)],
    reads: SCALED_KINDS,

    async reconcile(budget, kit, signal) {
      const mine = podsOf(budget, kit.list)
      const scale = await expectedScale(budget, mine, kinds, kit, signal)
      const nowMs = kit.clock.nowMs()
      if ('problem' in scale) {
        const status = planFailure(budget, scale.problem, nowMs)
        await kit.writer.putStatus(podDisruptionBudgets, budget, status, signal)
        return
      }
      const { status, notDeleted, recheckInMs } = planBudget(budget, mine, scale.expected, nowMs)
      if (!Bun.deepEquals(status, budget.status)) {
        tell(budget, mine, scale, notDeleted, kit)
        await kit.writer.putStatus(podDisruptionBudgets, budget, status, signal)
      }
      return recheckInMs === undefined ? undefined : { requeueInMs: recheckInMs }
    },
  })
}

/** Pods of a budget change what it allows by coming, going, and by becoming ready or not. */
function isNews(change: Change<Pod>): boolean {
  if (change.type !== 'updated') return true
  const { object, old } = change
  const [now, before] = [object.metadata, old.metadata]
  return (
    isReady(object) !== isReady(old) ||
    now.deletionTimestamp !== before.deletionTimestamp ||
    !Bun.deepEquals(now.labels, before.labels) ||
    !Bun.deepEquals(now.ownerReferences, before.ownerReferences)
  )
}

function budgetsOf(pod: Pod, list: ListOf): string[] {
  return list(podDisruptionBudgets)
    .inNamespace(pod.metadata.namespace ?? '')
    .filter((budget) => isFor(budget, pod))
    .map(keyOf)
    .toSorted()
}

function podsOf(budget: PodDisruptionBudget, list: ListOf): Pod[] {
  const all = list(pods).inNamespace(budget.metadata.namespace ?? '')
  return all.filter((pod) => isFor(budget, pod))
}

/** A budget without a selector is for no pod, one with an empty one for all. */
function isFor({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  const selector = spec?.selector
  return !!selector && isReadableSelector(selector) && matchesLabels(selector, metadata.labels)
}

async function expectedScale(
  budget: PodDisruptionBudget,
  mine: readonly Pod[],
  kinds: Kinds,
  kit: Kit,
  signal: AbortSignal,
): Promise<Scale | { problem: string }> {
  if (!wantsScale(budget)) return { expected: 0, unmanaged: [] }
  try {
    return await scaleOf(mine, kinds, kit, signal)
  } catch (error) {
    if (signal.aborted) throw error
    const problem = messageOf(error)
    const { events } = kit
    const message = `Failed to calculate the number of expected pods: ${problem}`
    const about = { row: podDisruptionBudgets, object: budget }
    const known = budget.status?.conditions?.some((each) => each.message === problem)
    if (!known) events.warning(about, 'CalculateExpectedPodCountFailed', message)
    return { problem }
  }
}

/** Said once for each state, and not at each look. */
function tell(
  budget: PodDisruptionBudget,
  mine: readonly Pod[],
  { unmanaged }: Scale,
  notDeleted: readonly Pod[],
  { events, list }: Kit,
): void {
  const about = { row: podDisruptionBudgets, object: budget }
  const { name, namespace } = budget.metadata
  if (mine.length === 0) events.normal(about, 'NoPods', 'No matching pods found')
  if (unmanaged.length > 0) {
    const who = `Pods selected by this PodDisruptionBudget (selector: ${shownSelector(budget.spec?.selector)})`
    const what =
      'were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    events.warning(about, 'UnmanagedPods', `${who} ${what}`)
  }
  for (const object of notDeleted) {
    // Upstream names the namespace twice.
    const message = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`
    events.warning({ row: pods, object }, 'NotDeleted', message)
  }
  for (const object of mine) {
    const [first, ...others] = budgetsOf(object, list)
    if (others.length === 0 || first !== keyOf(budget)) continue
    const who = `Pod ${JSON.stringify(namespace)}/${JSON.stringify(object.metadata.name)}`
    const message = `${who} matches multiple PodDisruptionBudgets.  Chose ${JSON.stringify(name)} arbitrarily.`
    events.warning({ row: pods, object }, 'MultiplePodDisruptionBudgets', message)
  }
}
