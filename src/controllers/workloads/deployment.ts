// Rolls each Deployment out: one ReplicaSet for each template, resized step by step.
//
// All judgement is in deployment-plan.ts and deployment-status.ts.

import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { controllerOf, keyOf } from '../../api/object.ts'
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/schema/generated/types.ts'
import { isAlreadyExists } from '../../api/status.ts'
import { defineController, type Kit, watching } from '../../kit/controller.ts'
import { isEmptySelector, matchesSelector } from '../../kit/labels.ts'
import { isNamespaceTerminating } from '../failures.ts'
import { isFinished } from '../pods.ts'
import { candidatesOf, performClaims, planClaims } from './claims.ts'
import { type DeploymentStep, planDeployment } from './deployment-plan.ts'
import { isSameTemplate, REVISION, replicasOf, sortSets } from './deployment-sets.ts'
import { type News, nextCheckInMs, planDeploymentStatus } from './deployment-status.ts'

export const deploymentController = defineController<Deployment>({
  name: 'deployment-controller',
  reconciles: deployments,
  owns: [replicaSets],
  reads: [pods],
  watches: [
    watching(replicaSets, (rs, list) => {
      if (controllerOf(rs) !== undefined) return []
      const all = list(deployments).inNamespace(rs.metadata.namespace ?? '')
      return all.filter(({ spec }) => matchesSelector(rs, spec.selector)).map(keyOf)
    }),
  ],

  async reconcile(deployment, kit, signal) {
    const about = { row: deployments, object: deployment }
    if (isEmptySelector(deployment.spec.selector)) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.'
      kit.events.warning(about, 'SelectingAll', message)
      return
    }
    const sets = await claimSets(deployment, kit, signal)
    const podsLeft = (rs: ReplicaSet) =>
      kit
        .list(pods)
        .ownedBy(rs)
        .filter((pod) => !isFinished(pod)).length
    const { step, isRollout } = planDeployment({ deployment, sets, podsLeft })
    const { after, news, failure } = await performStep(step, deployment, kit, signal)

    const known = sets.map((rs) => after.find(({ metadata }) => isSame(metadata, rs)) ?? rs)
    const created = news?.is === 'created' ? after : []
    const nowMs = kit.clock.nowMs()
    const sorted = sortSets(deployment, [...known, ...created])
    const status = planDeploymentStatus({ deployment, ...sorted, isRollout, news, nowMs })
    await putStatus(deployment, status, sorted.newSet, kit, signal)
    if (failure !== undefined) throw failure

    const checkInMs = isRollout ? nextCheckInMs(deployment, status, nowMs) : undefined
    if (checkInMs !== undefined) return { requeueInMs: checkInMs }
  },
})

const isSame = (metadata: { uid?: string }, rs: ReplicaSet) => metadata.uid === rs.metadata.uid

async function claimSets(
  deployment: Deployment,
  kit: Kit,
  signal: AbortSignal,
): Promise<ReplicaSet[]> {
  const candidates = candidatesOf(replicaSets, deployment, kit)
  const matches = (rs: ReplicaSet) => matchesSelector(rs, deployment.spec.selector)
  const claims = planClaims(deployment, candidates, matches)
  const parties = { ownerRow: deployments, owner: deployment, row: replicaSets }
  return performClaims(parties, claims, kit, signal)
}

type Done = { after: ReplicaSet[]; news: News; failure?: unknown }

/** Returns the sets as they are afterwards. */
async function performStep(
  step: DeploymentStep,
  deployment: Deployment,
  kit: Kit,
  signal: AbortSignal,
): Promise<Done> {
  const { writer } = kit
  switch (step.do) {
    case 'nothing':
      return { after: [], news: undefined }
    case 'annotate': {
      const edit = (draft: ReplicaSet) => {
        draft.metadata.annotations = step.annotations
        draft.spec.minReadySeconds = step.minReadySeconds
      }
      return { after: [await writer.change(replicaSets, step.rs, edit, signal)], news: undefined }
    }
    case 'create':
      return performCreate(step.draft, deployment, kit, signal)
    case 'resize': {
      const after: ReplicaSet[] = []
      for (const { rs, replicas, annotations } of step.sets) {
        const edit = (draft: ReplicaSet) => {
          draft.spec.replicas = replicas
          draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations }
        }
        after.push(await writer.change(replicaSets, rs, edit, signal))
        tellScaled(kit, deployment, rs, { from: replicasOf(rs), to: replicas })
      }
      return { after, news: undefined }
    }
    case 'clean-up':
      for (const rs of step.sets) await writer.remove(replicaSets, rs, {}, signal)
      return { after: [], news: undefined }
    default:
      return step satisfies never
  }
}

async function performCreate(
  draft: ReplicaSet,
  deployment: Deployment,
  kit: Kit,
  signal: AbortSignal,
): Promise<Done> {
  const { name = '' } = draft.metadata
  try {
    const rs = await kit.writer.create(replicaSets, draft, signal)
    tellScaled(kit, deployment, rs, { from: 0, to: replicasOf(rs) })
    return { after: [rs], news: { is: 'created', name } }
  } catch (failure) {
    if (signal.aborted || isNamespaceTerminating(failure)) throw failure
    if (isAlreadyExists(failure)) return isOurs(draft, deployment, kit, failure, signal)
    const why = failure instanceof Error ? failure.message : String(failure)
    const message = `Failed to create new replica set "${name}": ${why}`
    const about = { row: deployments, object: deployment }
    kit.events.warning(about, 'ReplicaSetCreateError', message)
    return { after: [], news: { is: 'create failed', message }, failure }
  }
}

/** A set of that name exists: ours and just not in the cache yet, or a collision of hashes. */
async function isOurs(
  draft: ReplicaSet,
  deployment: Deployment,
  kit: Kit,
  failure: unknown,
  signal: AbortSignal,
): Promise<Done> {
  const { namespace, name = '' } = draft.metadata
  const rs = await kit.client.get(replicaSets, { namespace, name }, signal)
  const isControlled = controllerOf(rs)?.uid === deployment.metadata.uid
  if (isControlled && isSameTemplate(deployment, rs)) return { after: [], news: undefined }
  return { after: [], news: { is: 'collision' }, failure }
}

function tellScaled(
  { events }: Kit,
  object: Deployment,
  rs: ReplicaSet,
  { from, to }: { from: number; to: number },
): void {
  if (from === to) return
  const direction = from < to ? 'up' : 'down'
  const message = `Scaled ${direction} replica set ${rs.metadata.name} from ${from} to ${to}`
  events.normal({ row: deployments, object }, 'ScalingReplicaSet', message)
}

/** The status path takes annotations too, so the revision goes with it in one write. */
async function putStatus(
  deployment: Deployment,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const revision = newSet?.metadata.annotations?.[REVISION]
  const { metadata } = deployment
  if (revision === undefined || metadata.annotations?.[REVISION] === revision) {
    await writer.putStatus(deployments, deployment, status, signal)
    return
  }
  const annotations = { ...metadata.annotations, [REVISION]: revision }
  const told = { ...deployment, metadata: { ...metadata, annotations }, status: {} }
  await writer.putStatus(deployments, told, status, signal)
}
