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
import type { About } from '../../kit/events.ts'
import type { Change } from '../../kit/informer.ts'
import { messageOf } from '../failures.ts'
import { isReady } from '../pods.ts'
import { planBudget, planFailure, shownSelector, wantsScale } from './budget-plan.ts'
import { SCALED_KINDS, type Scale, scaleOf } from './scales.ts'

type Words = { about: About; type: 'normal' | 'warning'; reason: string; message: string }

export function disruptionController(kinds: Kinds): Controller<PodDisruptionBudget> {
  /** What was said of each budget at the last look: it is said once for as long as it holds. */
  const said = new Map<string, ReadonlySet<string>>()

  const tell = (budget: PodDisruptionBudget, words: readonly Words[], { events }: Kit) => {
    const key = keyOf(budget)
    const textOf = ({ about, reason, message }: Words) =>
      `${about.object.metadata.uid} ${reason} ${message}`
    for (const each of words) {
      if (said.get(key)?.has(textOf(each))) continue
      events[each.type](each.about, each.reason, each.message)
    }
    said.set(key, new Set(words.map(textOf)))
  }

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
        tell(budget, [failureOf(budget, scale.problem)], kit)
        const status = planFailure(budget, scale.problem, nowMs)
        await kit.writer.putStatus(podDisruptionBudgets, budget, status, signal)
        return
      }
      const { status, notDeleted, recheckInMs } = planBudget(budget, mine, scale.expected, nowMs)
      const pass = { budget, mine, scale, notDeleted }
      tell(budget, [...wordsOf(pass), ...overlaps(pass, kit.list)], kit)
      await kit.writer.putStatus(podDisruptionBudgets, budget, status, signal)
      return recheckInMs === undefined ? undefined : { requeueInMs: recheckInMs }
    },

    async reconcileGone(key) {
      said.delete(key)
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
    return { problem: messageOf(error) }
  }
}

function failureOf(object: PodDisruptionBudget, problem: string): Words {
  const message = `Failed to calculate the number of expected pods: ${problem}`
  const about = { row: podDisruptionBudgets, object }
  return { about, type: 'warning', reason: 'CalculateExpectedPodCountFailed', message }
}

type Pass = {
  budget: PodDisruptionBudget
  mine: readonly Pod[]
  scale: Scale
  notDeleted: readonly Pod[]
}

function wordsOf({ budget, mine, scale, notDeleted }: Pass): Words[] {
  const about = { row: podDisruptionBudgets, object: budget }
  const { namespace } = budget.metadata
  const words: Words[] = []
  if (mine.length === 0) {
    words.push({ about, type: 'normal', reason: 'NoPods', message: 'No matching pods found' })
  }
  if (scale.unmanaged.length > 0) {
    const selector = shownSelector(budget.spec?.selector)
    const message = `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`
    words.push({ about, type: 'warning', reason: 'UnmanagedPods', message })
  }
  for (const object of notDeleted) {
    // Upstream names the namespace twice.
    const message = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`
    const pod = { row: pods, object }
    words.push({ about: pod, type: 'warning', reason: 'NotDeleted', message })
  }
  return words
}

/** Of pods with several budgets, the first of those speaks. */
function overlaps({ budget, mine }: Pass, list: ListOf): Words[] {
  const { name, namespace } = budget.metadata
  return mine.flatMap((object): Words[] => {
    const [first, ...others] = budgetsOf(object, list)
    if (others.length === 0 || first !== keyOf(budget)) return []
    const who = `Pod ${JSON.stringify(namespace)}/${JSON.stringify(object.metadata.name)}`
    const message = `${who} matches multiple PodDisruptionBudgets.  Chose ${JSON.stringify(name)} arbitrarily.`
    const about = { row: pods, object }
    return [{ about, type: 'warning', reason: 'MultiplePodDisruptionBudgets', message }]
  })
}
