// Decides what to do with one object, given what is known of its owners and dependents. Pure.
//
//   an owner is   solid     it exists and stays
//                 waiting   it is being deleted in the foreground: it goes after its dependents
//                 dangling  it does not exist, or another object has its name

import type { KubeObject } from '../../api/object.ts'
import type { OwnerReference } from '../../api/schema/generated/types.ts'

export const ORPHAN = 'orphan'
export const FOREGROUND = 'foregroundDeletion'

export type OwnerState = 'solid' | 'waiting' | 'dangling'

export type Propagation = 'Orphan' | 'Background' | 'Foreground'

export type GarbageStep =
  | { do: 'nothing' }
  /** Its references to these uids are removed. */
  | { do: 'forget-owners'; uids: string[] }
  /** Its references no longer block: two that wait for each other would wait for ever. */
  | { do: 'unblock-owners' }
  | { do: 'delete'; propagation: Propagation }
  /** Its dependents forget it; then the finalizer goes. */
  | { do: 'orphan'; dependents: Dependent[] }
  /** Its dependents are looked at, because it waits for them. */
  | { do: 'wait-for'; dependents: Dependent[] }
  | { do: 'remove-finalizer'; finalizer: string }

export type Dependent = { key: string; object: KubeObject }

export type Looked = {
  object: KubeObject
  owners: readonly { reference: OwnerReference; state: OwnerState }[]
  dependents: readonly Dependent[]
}

export function planGarbage({ object, owners, dependents }: Looked): GarbageStep {
  if (isGoing(object)) return planGoing(object, dependents)
  if (owners.length === 0) return { do: 'nothing' }
  const inState = (state: OwnerState) => owners.filter((owner) => owner.state === state)
  const [solid, waiting] = [inState('solid'), inState('waiting')]
  if (solid.length > 0) {
    const uids = [...inState('dangling'), ...waiting].map(({ reference }) => reference.uid)
    return uids.length === 0 ? { do: 'nothing' } : { do: 'forget-owners', uids }
  }
  if (waiting.length > 0 && dependents.length > 0) {
    const isCircle = dependents.some((dependent) => isForeground(dependent.object))
    const blocks = owners.some(({ reference }) => reference.blockOwnerDeletion)
    if (isCircle && blocks) return { do: 'unblock-owners' }
    return { do: 'delete', propagation: 'Foreground' }
  }
  return { do: 'delete', propagation: asAskedFor(object) }
}

/** What is being deleted only needs us for the two finalizers that are ours. */
function planGoing(object: KubeObject, dependents: readonly Dependent[]): GarbageStep {
  if (hasFinalizer(object, ORPHAN)) {
    if (dependents.length > 0) return { do: 'orphan', dependents: [...dependents] }
    return { do: 'remove-finalizer', finalizer: ORPHAN }
  }
  if (!hasFinalizer(object, FOREGROUND)) return { do: 'nothing' }
  const blocking = dependents.filter((dependent) => blocksDeletionOf(dependent.object, object))
  if (blocking.length === 0) return { do: 'remove-finalizer', finalizer: FOREGROUND }
  const idle = blocking.filter((dependent) => !isForeground(dependent.object))
  return idle.length === 0 ? { do: 'nothing' } : { do: 'wait-for', dependents: idle }
}

function asAskedFor(object: KubeObject): Propagation {
  if (hasFinalizer(object, ORPHAN)) return 'Orphan'
  return hasFinalizer(object, FOREGROUND) ? 'Foreground' : 'Background'
}

export function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

export function hasFinalizer({ metadata }: KubeObject, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false
}

/** It is being deleted, and waits for its dependents. */
export function isForeground(object: KubeObject): boolean {
  return isGoing(object) && hasFinalizer(object, FOREGROUND)
}

function blocksDeletionOf(dependent: KubeObject, owner: KubeObject): boolean {
  return (
    dependent.metadata.ownerReferences?.some(
      ({ uid, blockOwnerDeletion }) => blockOwnerDeletion && uid === owner.metadata.uid,
    ) ?? false
  )
}
