// Keeps one pod of each DaemonSet on every node that it is for.
//
// All judgement is in plan.ts, status.ts, pod.ts and revisions.ts.

import { controllerRevisions } from '../../../api/kinds/apps/controllerrevision/row.ts'
import { daemonSets } from '../../../api/kinds/apps/daemonset/row.ts'
import { nodes } from '../../../api/kinds/core/node/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import { controllerOf, type KubeObject, keyOf } from '../../../api/object.ts'
import type { DaemonSet, Node, Pod } from '../../../api/schema/generated/types.ts'
import {
  type Controller,
  defineController,
  indexing,
  type Kit,
  type ListOf,
  watching,
} from '../../../kit/controller.ts'
import { isEmptySelector, matchesSelector } from '../../../kit/labels.ts'
import { nextAvailableInMs } from '../../pods.ts'
import { candidatesOf, performClaims, planClaims } from '../claims.ts'
import { FailureBackoff } from '../failure-backoff.ts'
import { performPods } from '../pod-writes.ts'
import { planDaemonSet } from './plan.ts'
import { draftDaemon, fitOf, generationOf, targetNode } from './pod.ts'
import { planForgetting, settleRevisions } from './revisions.ts'
import { planDaemonStatus } from './status.ts'

/** As upstream: a node may refuse its pod for long, and nothing tells of the end of its reasons. */
const FAILURE_WAIT_MS_MAX = 15 * 60_000
const PLACE = 'daemonset/place'

export function daemonSetController(): Controller<DaemonSet> {
  const backoff = new FailureBackoff(FAILURE_WAIT_MS_MAX)
  return defineController<DaemonSet>({
    name: 'daemonset-controller',
    account: 'daemon-set-controller',
    reconciles: daemonSets,
    owns: [pods, controllerRevisions],
    watches: [
      watching(pods, wakesAdopters),
      watching(controllerRevisions, wakesAdopters),
      watching(nodes, wakesAtNode, (change) => {
        if (change.type !== 'updated') return true
        return !Bun.deepEquals(whatCounts(change.object), whatCounts(change.old))
      }),
    ],
    indexes: [indexing(pods, PLACE, placesOf)],

    async reconcile(set, kit, signal) {
      const about = { row: daemonSets, object: set }
      if (isEmptySelector(set.spec.selector)) {
        const message = 'This daemon set is selecting all pods. A non-empty selector is required.'
        kit.events.warning(about, 'SelectingAll', message)
        return
      }
      // Its history may be gone already, and what it is then cannot be told.
      if (set.metadata.deletionTimestamp !== undefined) return
      const owned = await claimPods(set, kit, signal)
      const revisions = await settleRevisions(set, owned, kit, signal)
      const nowMs = kit.clock.nowMs()
      const waits = backoff.of(keyOf(set), set.metadata)
      const version = { hash: revisions.hash, generation: generationOf(set) }
      const world = { set, nodes: kit.list(nodes).all(), pods: owned, version, nowMs }
      const plan = planDaemonSet({ ...world, waitMs: (node) => waits.waitMs(node, nowMs) })
      for (const { type, reason, message } of plan.news) {
        if (type === 'Normal') kit.events.normal(about, reason, message)
        else kit.events.warning(about, reason, message)
      }
      for (const node of plan.failed) waits.replaced(node, nowMs)
      const create = plan.create.map((node) => draftDaemon(set, version, node))
      const failure = await performPods(about, { create, remove: plan.remove }, kit, signal)
      const status = planDaemonStatus(world, revisions.collisionCount)
      await kit.writer.putStatus(daemonSets, set, status, signal)
      if (failure !== undefined) throw failure.error
      const limit = set.spec.revisionHistoryLimit ?? 10
      for (const revision of planForgetting(revisions.old, owned, limit)) {
        await kit.writer.remove(controllerRevisions, revision, {}, signal)
      }

      const availableMs = nextAvailableInMs(owned, set.spec.minReadySeconds ?? 0, nowMs)
      const dueMs = [availableMs, plan.recheckInMs].filter((ms) => ms !== undefined)
      if (dueMs.length > 0) return { requeueInMs: Math.min(...dueMs) }
    },

    async reconcileGone(key) {
      backoff.forget(key)
    },
  })
}

/** An orphan wakes those that may take it. */
function wakesAdopters(object: KubeObject, list: ListOf): string[] {
  if (controllerOf(object) !== undefined) return []
  const all = list(daemonSets).inNamespace(object.metadata.namespace ?? '')
  return all.filter(({ spec }) => matchesSelector(object, spec.selector)).map(keyOf)
}

const whatCounts = ({ metadata, spec }: Node) => [metadata.labels ?? {}, spec?.taints ?? []]

/**
 * A node wakes those whose pod is missing there, or not wanted, or was thought to be misplaced; and
 * all that are for it once it is gone.
 */
function wakesAtNode(node: Node, list: ListOf): string[] {
  const isGone = list(nodes).get(node.metadata.name ?? '') === undefined
  return list(daemonSets)
    .all()
    .filter((set) => {
      const { runs, stays } = fitOf(set, node)
      const place = placeOf(set.metadata.uid, node.metadata.name)
      const isThere = list(pods).by(PLACE, place).length > 0
      if (!isThere || isGone) return runs
      return !stays || !runs || (set.status?.numberMisscheduled ?? 0) > 0
    })
    .map(keyOf)
}

const placeOf = (uid: string | undefined, node: string | undefined) => `${uid}@${node}`

function placesOf(pod: Pod): string[] {
  const owner = controllerOf(pod)
  const node = targetNode(pod)
  return owner?.kind === 'DaemonSet' && node !== undefined ? [placeOf(owner.uid, node)] : []
}

function claimPods(set: DaemonSet, kit: Kit, signal: AbortSignal): Promise<Pod[]> {
  const matches = (pod: Pod) => matchesSelector(pod, set.spec.selector)
  const claims = planClaims(set, candidatesOf(pods, set, kit), matches)
  return performClaims({ ownerRow: daemonSets, owner: set, row: pods }, claims, kit, signal)
}
