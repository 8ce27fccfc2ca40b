// A Deployment's ReplicaSets: which is the new one, what the new one is called, and what their
// annotations say. Names and limits from upstream's pkg/controller/deployment/util.

import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import type { Deployment, ReplicaSet } from '../../api/schema/generated/types.ts'
import { own } from '../../lib/own.ts'
import { ownerReference } from './claims.ts'
import { scaled } from './percent.ts'
import { HASH_LABEL, templateHash, templateText } from './template-hash.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
const HISTORY = 'deployment.kubernetes.io/revision-history'
const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const MAX = 'deployment.kubernetes.io/max-replicas'
/** Annotations that belong to one of the two alone. */
const NOT_COPIED: readonly string[] = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  ...[REVISION, HISTORY, DESIRED, MAX],
]
const HISTORY_CHARS_MAX = 2000
const NAME_CHARS_MAX = 253

export type Annotations = Record<string, string>

export const replicasOf = ({ spec }: Deployment | ReplicaSet) => spec.replicas ?? 1
export const isActiveSet = (rs: ReplicaSet) => replicasOf(rs) > 0
export const sumOf = (sets: readonly ReplicaSet[], count: (rs: ReplicaSet) => number) =>
  sets.reduce((sum, rs) => sum + count(rs), 0)

export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (aTime !== bTime) return aTime < bTime ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}

/** The oldest set with the Deployment's template is the new one; all others are old. */
export function sortSets(deployment: Deployment, sets: readonly ReplicaSet[]) {
  const wanted = templateText(deployment.spec.template)
  const oldestFirst = sets.toSorted(byCreation)
  const newSet = oldestFirst.find((rs) => templateText(rs.spec.template) === wanted)
  return { newSet, oldSets: oldestFirst.filter((rs) => rs !== newSet) }
}

export function isSameTemplate(deployment: Deployment, rs: ReplicaSet): boolean {
  return templateText(deployment.spec.template) === templateText(rs.spec.template)
}

/** The new ReplicaSet as it is to be created, with `replicas` pods. */
export function draftSet(
  deployment: Deployment,
  oldSets: readonly ReplicaSet[],
  replicas: number,
): ReplicaSet {
  const { name = '', namespace = '' } = deployment.metadata
  const { template, selector, minReadySeconds = 0 } = deployment.spec
  const hash = templateHash(template, deployment.status?.collisionCount)
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash }
  const annotations = { ...newSetAnnotations(deployment, undefined, oldSets) }
  return {
    metadata: {
      name: `${name.slice(0, NAME_CHARS_MAX - 1 - hash.length)}-${hash}`,
      namespace,
      labels,
      annotations: { ...annotations, ...sizeAnnotations(deployment) },
      ownerReferences: [ownerReference(deployments, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === 0 ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
}

/** What every set says about the size of its Deployment; proportional scaling reads it back. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const replicas = replicasOf(deployment)
  return { [DESIRED]: String(replicas), [MAX]: String(replicas + maxSurge(deployment)) }
}

export function desiredAnnotation(rs: ReplicaSet): number | undefined {
  return countOf(rs, DESIRED)
}

export function maxAnnotation(rs: ReplicaSet): number | undefined {
  return countOf(rs, MAX)
}

function countOf({ metadata }: ReplicaSet, annotation: string): number | undefined {
  const text = own(metadata.annotations, annotation)
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

export function revisionOfSet({ metadata }: ReplicaSet): bigint {
  return toRevision(metadata.annotations?.[REVISION])
}

/**
 * The annotations that the new set must have: its own, the Deployment's, and the highest revision.
 * A set that had a lower one is being rolled back to, and its history keeps that.
 */
export function newSetAnnotations(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
): Annotations {
  const annotations = { ...newSet?.metadata.annotations }
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!NOT_COPIED.includes(name)) annotations[name] = value
  }
  const revision = highestRevision(oldSets) + 1n
  const before = annotations[REVISION]
  if (before !== undefined && toRevision(before) >= revision) return annotations
  annotations[REVISION] = String(revision)
  if (before !== undefined) annotations[HISTORY] = longerHistory(annotations[HISTORY], before)
  return annotations
}

function highestRevision(sets: readonly ReplicaSet[]): bigint {
  let highest = 0n
  for (const revision of sets.map(revisionOfSet)) if (revision > highest) highest = revision
  return highest
}

/** Revisions are 64 bits wide; what is no number counts as none. */
function toRevision(text: string | undefined): bigint {
  return text !== undefined && /^[0-9]+$/.test(text) ? BigInt(text) : 0n
}

/** Appends a revision; the oldest make room when the text gets too long. */
function longerHistory(history: string | undefined, revision: string): string {
  const revisions = [...(history ? history.split(',') : []), revision]
  while (revisions.length > 1 && revisions.join(',').length > HISTORY_CHARS_MAX) revisions.shift()
  return revisions.join(',')
}

export const isRolling = ({ spec }: Deployment) => spec.strategy?.type !== 'Recreate'

/** How many pods more than asked for may exist during a roll. A percentage rounds up. */
export function maxSurge(deployment: Deployment): number {
  if (!isRolling(deployment)) return 0
  const { maxSurge = 0 } = deployment.spec.strategy?.rollingUpdate ?? {}
  return scaled(maxSurge, replicasOf(deployment), Math.ceil)
}

/** How many pods may be missing. A percentage rounds down; surge and this are never both zero. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = replicasOf(deployment)
  if (!isRolling(deployment) || replicas === 0) return 0
  const { maxUnavailable = 0 } = deployment.spec.strategy?.rollingUpdate ?? {}
  const count = scaled(maxUnavailable, replicas, Math.floor)
  if (count === 0 && maxSurge(deployment) === 0) return 1
  return Math.min(count, replicas)
}
