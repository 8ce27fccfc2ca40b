// Empties a kind whose definition is going away.

import { CLEANUP_FINALIZER, isTrue, withCondition } from '../../api/custom/definition-status.ts'
import type { AnyObject } from '../../api/object.ts'
import type { CustomResourceDefinition } from '../../api/schema/generated/types.ts'
import type { Entry, Store } from '../../store/store.ts'
import { planDeletion } from '../objects/verbs/plan-deletion.ts'
import type { DeleteOptions } from '../request/options.ts'

type Definition = CustomResourceDefinition

type Cleaning = {
  store: Store
  nowMs: number
  /** When it began. */
  sinceMs: number
  write: (next: Definition) => Promise<Definition>
}

const AS_USUAL: DeleteOptions = {
  dryRun: false,
  gracePeriodSeconds: undefined,
  propagationPolicy: undefined,
  orphanDependents: undefined,
  preconditions: undefined,
}

/** Upstream tells after this long that objects are left. */
const WAIT_MS = 60_000
/** Deletions that are sent together. */
const BATCH = 500

/** True when objects are left, whose finalizers somebody else must take away. */
export async function cleanUp(definition: Definition, cleaning: Cleaning): Promise<boolean> {
  const { store, nowMs, sinceMs, write } = cleaning
  const finalizers = definition.metadata.finalizers ?? []
  if (!finalizers.includes(CLEANUP_FINALIZER)) return false
  const say = (of: Definition, status: 'True' | 'False', reason: string, message: string) =>
    withCondition(of, { type: 'Terminating', status, reason, message }, nowMs)
  if (!isTrue(definition, 'Established')) {
    const message = 'resource was never established'
    await write(withoutFinalizer(say(definition, 'False', 'NeverEstablished', message)))
    return false
  }
  const reason = reasonOf(definition)
  let current = definition
  if (reason === 'InstanceDeletionPending') {
    const message = 'CustomResource deletion is in progress'
    current = await write(say(definition, 'True', 'InstanceDeletionInProgress', message))
  }
  if (await removeAll(store, prefixOf(definition), nowMs)) {
    const message = 'removed all instances'
    await write(withoutFinalizer(say(current, 'False', 'InstanceDeletionCompleted', message)))
    return false
  }
  if (nowMs - sinceMs >= WAIT_MS && reasonOf(current) !== 'InstanceDeletionCheck') {
    const why = 'could not confirm zero CustomResources remaining: context deadline exceeded'
    await write(say(current, 'True', 'InstanceDeletionCheck', why))
  }
  return true
}

function reasonOf({ status }: Definition): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'Terminating')?.reason
}

function prefixOf({ spec, status }: Definition): string {
  return `${spec.group}/${status?.acceptedNames?.plural ?? spec.names.plural}/`
}

function withoutFinalizer(definition: Definition): Definition {
  const finalizers = (definition.metadata.finalizers ?? []).filter(
    (name) => name !== CLEANUP_FINALIZER,
  )
  return { ...definition, metadata: { ...definition.metadata, finalizers } }
}

/** Deletes what may go and marks the rest; true when nothing is left. */
async function removeAll(store: Store, prefix: string, nowMs: number): Promise<boolean> {
  const { entries } = store.list(prefix)
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH)
    await Promise.all(batch.map((entry) => removeOne(store, entry, nowMs)))
  }
  return store.list(prefix).entries.length === 0
}

async function removeOne(store: Store, entry: Entry, nowMs: number): Promise<void> {
  const object = JSON.parse(entry.value) as AnyObject
  if (object.metadata.deletionTimestamp !== undefined) return
  const kind = { graceSeconds: undefined, orphansByDefault: false }
  const planned = planDeletion(kind, object, AS_USUAL, nowMs)
  if (planned === 'pending') return
  if (planned === 'gone') await store.delete(entry.key, entry.revision)
  else await store.update(entry.key, JSON.stringify(planned), entry.revision)
}
