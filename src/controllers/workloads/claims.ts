// Who owns what: adopting orphans that match a selector, releasing what matches no more.

import { controllerOf, type KubeObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf, type ResourceRow } from '../../api/resource.ts'
import { isNotFound } from '../../api/status.ts'
import type { Kit } from '../../kit/controller.ts'
import { withTasks } from '../../lib/tasks.ts'

export type Claims<O> = { owned: O[]; adopt: O[]; release: O[] }

/** `candidates` are those that `owner` controls and those that nobody does. */
export function planClaims<O extends KubeObject>(
  owner: KubeObject,
  candidates: readonly O[],
  matches: (object: O) => boolean,
): Claims<O> {
  const claims: Claims<O> = { owned: [], adopt: [], release: [] }
  const isGoing = owner.metadata.deletionTimestamp !== undefined
  for (const object of candidates) {
    const controller = controllerOf(object)
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue
      if (matches(object)) claims.owned.push(object)
      else if (!isGoing) claims.release.push(object)
    } else if (matches(object) && !isGoing && object.metadata.deletionTimestamp === undefined) {
      claims.adopt.push(object)
    }
  }
  return claims
}

export function ownerReference(row: AnyRow, owner: KubeObject) {
  return {
    apiVersion: groupVersionOf(row),
    kind: row.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** Its own objects of a kind, and those of its namespace that nobody controls. */
export function candidatesOf<O extends KubeObject>(
  row: ResourceRow<O>,
  owner: KubeObject,
  { list }: Pick<Kit, 'list'>,
): O[] {
  const orphans = list(row)
    .inNamespace(owner.metadata.namespace ?? '')
    .filter((object) => controllerOf(object) === undefined)
  return [...list(row).ownedBy(owner), ...orphans]
}

const NO_FINALIZERS = '$deleteFromPrimitiveList/finalizers'

type Both<P extends KubeObject, O extends KubeObject> = {
  ownerRow: ResourceRow<P>
  owner: P
  row: ResourceRow<O>
  /** What those that are owned are held by: adopted ones get it, released ones lose it. */
  finalizer?: string
}

/** Carries `claims` out. Returns all that `owner` owns now. */
export async function performClaims<P extends KubeObject, O extends KubeObject>(
  { ownerRow, owner, row, finalizer }: Both<P, O>,
  claims: Claims<O>,
  { writer, client }: Kit,
  signal: AbortSignal,
): Promise<O[]> {
  if (claims.adopt.length > 0) await assertStillThere(ownerRow, owner, client, signal)
  const reference = ownerReference(ownerRow, owner)
  const adopted: O[] = []
  const holding = finalizer === undefined ? {} : { finalizers: [finalizer] }
  const letting = finalizer === undefined ? {} : { [NO_FINALIZERS]: [finalizer] }
  const patchOwners = async (object: O, ownerReferences: unknown[], finalizers: object) => {
    // The uid makes the patch fail for a namesake.
    const body = { metadata: { uid: object.metadata.uid, ownerReferences, ...finalizers } }
    try {
      return await writer.patch(row, object, { type: 'strategic', body }, signal)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
  await withTasks(async (start) => {
    for (const object of claims.adopt) {
      start(async () => {
        const mine = await patchOwners(object, [reference], holding)
        if (mine !== undefined) adopted.push(mine)
      })
    }
    for (const object of claims.release) {
      const { uid } = reference
      start(async () => void (await patchOwners(object, [{ $patch: 'delete', uid }], letting)))
    }
  }, signal)
  return [...claims.owned, ...adopted]
}

/** Adopting for an owner that is going would bind others to its end: so ask the server itself. */
async function assertStillThere<P extends KubeObject>(
  row: ResourceRow<P>,
  owner: P,
  client: Kit['client'],
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name = '', uid } = owner.metadata
  const fresh = await client.get(row, { namespace, name }, signal)
  if (fresh.metadata.uid !== uid) {
    throw new Error(`adopt for ${row.kind} ${namespace}/${name}: it was replaced by a namesake`)
  }
  if (fresh.metadata.deletionTimestamp !== undefined) {
    throw new Error(`adopt for ${row.kind} ${namespace}/${name}: it is being deleted`)
  }
}
