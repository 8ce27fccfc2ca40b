// The PersistentVolumeClaims of a StatefulSet's pods: which are missing, and who owns those that
// are there.
//
//   whenScaled  whenDeleted   owner of a claim
//   Retain      Retain        nobody
//   Retain      Delete        the set
//   Delete      Retain        nobody; the pod once it is one too many
//   Delete      Delete        the set; the pod once it is one too many

import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../../../api/object.ts'
import { type AnyRow, groupVersionOf } from '../../../api/resource.ts'
import type {
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from '../../../api/schema/generated/types.ts'
import { ownerReference } from '../claims.ts'
import { claimName, claimTemplates, isWanted } from './identity.ts'

export type ClaimOf = (name: string) => PersistentVolumeClaim | undefined

export type PodClaims = {
  /** To be created. */
  missing: PersistentVolumeClaim[]
  /** Names of those that are being deleted: the pod must wait for their end. */
  going: string[]
  /** Those whose owners are not what the set's policy says. */
  owners: { claim: PersistentVolumeClaim; references: OwnerReference[] }[]
  /** Names of those that another controller has, so that the policy cannot be kept. */
  contested: string[]
}

type Member = { set: StatefulSet; pod: Pod; ordinal: number }

export function planPodClaims(member: Member, claimOf: ClaimOf): PodClaims {
  const plan: PodClaims = { missing: [], going: [], owners: [], contested: [] }
  const { set, ordinal } = member
  for (const [template, draft] of claimTemplates(set)) {
    const name = claimName(set, template, ordinal)
    const claim = claimOf(name)
    if (claim === undefined) {
      plan.missing.push(claimFrom(set, draft, name))
      continue
    }
    if (claim.metadata.deletionTimestamp !== undefined) plan.going.push(name)
    if (isContested(member, claim)) plan.contested.push(name)
    if (!isOwnedAsWanted(member, claim)) {
      plan.owners.push({ claim, references: wantedReferences(member, claim) })
    }
  }
  return plan
}

function claimFrom(
  set: StatefulSet,
  { metadata, ...template }: PersistentVolumeClaim,
  name: string,
): PersistentVolumeClaim {
  const labels = { ...metadata?.labels, ...set.spec.selector.matchLabels }
  const { namespace = '' } = set.metadata
  return { ...template, metadata: { ...metadata, name, namespace, labels } }
}

/**
 * A claim that goes with an earlier pod of this name is about to be deleted: a new pod that used it
 * would lose it.
 */
export function waitsForClaims(member: Member, claimOf: ClaimOf): boolean {
  const { set, pod, ordinal } = member
  if (policyOf(set).whenScaled !== 'Delete') return false
  return claimTemplates(set).some(([template]) => {
    const claim = claimOf(claimName(set, template, ordinal))
    return claim !== undefined && hasStale(claim, pods, pod)
  })
}

function policyOf({ spec }: StatefulSet) {
  const { whenDeleted, whenScaled } = spec.persistentVolumeClaimRetentionPolicy ?? {}
  return { whenDeleted: whenDeleted ?? 'Retain', whenScaled: whenScaled ?? 'Retain' }
}

const referencesOf = ({ metadata }: PersistentVolumeClaim) => metadata.ownerReferences ?? []

function isNamed(reference: OwnerReference, row: AnyRow, { metadata }: KubeObject): boolean {
  const isKind = reference.apiVersion === groupVersionOf(row) && reference.kind === row.kind
  return isKind && reference.name === metadata.name
}

const isOf = (reference: OwnerReference, { metadata }: KubeObject) => reference.uid === metadata.uid

function hasOwner(claim: PersistentVolumeClaim, owner: KubeObject): boolean {
  return referencesOf(claim).some((reference) => isOf(reference, owner))
}

/** It names one that had the name before. */
function hasStale(claim: PersistentVolumeClaim, row: AnyRow, owner: KubeObject): boolean {
  const reference = referencesOf(claim).find((each) => isNamed(each, row, owner))
  return reference !== undefined && !isOf(reference, owner)
}

/** Somebody else controls it, and the policy would have us do so. */
function isContested({ set, pod }: Member, claim: PersistentVolumeClaim): boolean {
  const { whenDeleted, whenScaled } = policyOf(set)
  if (whenScaled === 'Retain' && whenDeleted === 'Retain') return false
  return referencesOf(claim).some((reference) => {
    if (isNamed(reference, statefulSets, set)) return !isOf(reference, set)
    if (isNamed(reference, pods, pod)) return !isOf(reference, pod)
    return reference.controller === true
  })
}

function isOwnedAsWanted(member: Member, claim: PersistentVolumeClaim): boolean {
  const { set, pod } = member
  // What another of the same name left behind is the garbage collector's.
  if (hasStale(claim, statefulSets, set) || hasStale(claim, pods, pod)) return true
  const [bySet, byPod] = [hasOwner(claim, set), hasOwner(claim, pod)]
  if (isContested(member, claim)) return !bySet && !byPod
  const ours = referencesOf(claim).filter((each) => isOf(each, set) || isOf(each, pod))
  if (ours.some(({ controller }) => controller !== true)) return false
  const wanted = wantedOwner(member)
  return bySet === (wanted === 'set') && byPod === (wanted === 'pod')
}

function wantedOwner({ set, ordinal }: Member): 'set' | 'pod' | 'nobody' {
  const { whenDeleted, whenScaled } = policyOf(set)
  if (whenScaled === 'Delete' && !isWanted(set, ordinal)) return 'pod'
  return whenDeleted === 'Delete' ? 'set' : 'nobody'
}

function wantedReferences(member: Member, claim: PersistentVolumeClaim): OwnerReference[] {
  const { set, pod } = member
  const others = referencesOf(claim).filter(
    (each) => !isNamed(each, statefulSets, set) && !isNamed(each, pods, pod),
  )
  if (isContested(member, claim)) return others
  switch (wantedOwner(member)) {
    case 'set':
      return [...others, ownerReference(statefulSets, set)]
    case 'pod':
      return [...others, ownerReference(pods, pod)]
    case 'nobody':
      return others
  }
}
