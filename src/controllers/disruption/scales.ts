// How many pods the owners of some pods ask for, in all.

import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { statefulSets } from '../../api/kinds/apps/statefulset/row.ts'
import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import type { KubeObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf, qualifiedResource } from '../../api/resource.ts'
import type { OwnerReference, Pod } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import type { Kinds, Kit } from '../../kit/controller.ts'

/** The kinds whose numbers are in a cache. */
export const SCALED_KINDS: readonly AnyRow[] = [
  ...[replicationControllers, deployments, replicaSets, statefulSets],
]

type Scaled = KubeObject & { spec?: { replicas?: number } }
type Found = { uid: string; replicas: number }

export type Scale = {
  expected: number
  /** Names of pods that nobody keeps. */
  unmanaged: string[]
}

/** Throws for a pod whose owner is not there, or does not say how many pods it wants. */
export async function scaleOf(
  pods: readonly Pod[],
  kinds: Kinds,
  kit: Kit,
  signal: AbortSignal,
): Promise<Scale> {
  const replicas = new Map<string, number>()
  const asked = new Set<string>()
  const unmanaged: string[] = []
  for (const { metadata } of pods) {
    const { name = '', namespace = '' } = metadata
    const owner = controllerOf(metadata)
    if (owner === undefined) {
      unmanaged.push(name)
      continue
    }
    if (asked.has(owner.uid)) continue
    asked.add(owner.uid)
    const found =
      inCache(owner, namespace, kit) ?? (await fromServer(owner, namespace, kinds, kit, signal))
    if (found === undefined) throw new Error(`found no controllers for pod ${JSON.stringify(name)}`)
    replicas.set(found.uid, found.replicas)
  }
  return { expected: [...replicas.values()].reduce((sum, count) => sum + count, 0), unmanaged }
}

function controllerOf({ ownerReferences }: KubeObject['metadata']): OwnerReference | undefined {
  return ownerReferences?.find(({ controller }) => controller)
}

/** A ReplicaSet of a Deployment counts as that. */
function inCache(owner: OwnerReference, namespace: string, kit: Kit): Found | undefined {
  const row = SCALED_KINDS.find((each) => each.kind === owner.kind && isGroupOf(each, owner))
  if (row === undefined || row === deployments) return undefined
  const object = ownerObject(row, owner, namespace, kit)
  if (object === undefined) return undefined
  const above = row === replicaSets ? controllerOf(object.metadata) : undefined
  if (above?.kind !== deployments.kind) return foundIn(object)
  if (!isGroupOf(deployments, above)) return undefined
  const deployment = ownerObject(deployments, above, namespace, kit)
  return deployment && foundIn(deployment)
}

function ownerObject(
  row: AnyRow,
  { name, uid }: OwnerReference,
  namespace: string,
  { list }: Kit,
): Scaled | undefined {
  const object = list<Scaled>(row).get(`${namespace}/${name}`)
  return object?.metadata.uid === uid ? object : undefined
}

function foundIn({ metadata, spec }: Scaled): Found {
  return { uid: metadata.uid ?? '', replicas: spec?.replicas ?? 0 }
}

/** Throws for kinds that are not served, or have no scale. */
async function fromServer(
  owner: OwnerReference,
  namespace: string,
  kinds: Kinds,
  { client }: Kit,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { apiVersion, kind, name, uid } = owner
  const row = kinds.rows().find((each) => each.kind === kind && groupVersionOf(each) === apiVersion)
  if (row === undefined) {
    throw new Error(
      `no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`,
    )
  }
  if (row.scale === undefined) {
    throw new Error(`${qualifiedResource(row)} does not implement the scale subresource`)
  }
  try {
    const scale: Scaled = await client.get(row, { namespace, name, subresource: 'scale' }, signal)
    return scale.metadata.uid === uid ? foundIn(scale) : undefined
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function isGroupOf(row: AnyRow, { apiVersion }: OwnerReference): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return group === row.group
}
