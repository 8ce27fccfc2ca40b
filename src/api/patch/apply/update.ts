// Ownership after a write that is no apply: the writer takes what it changed, silently.
//
// A field keeps its managers until somebody gives it another value; then the writer owns it alone.
// A field that is gone is owned by nobody. (KEP-555; apimachinery/pkg/util/managedfields.)

import type { KubeObject } from '../../object.ts'
import { emptyObject } from '../../schema/empty.ts'
import type { ManagedFieldsEntry } from '../../schema/generated/types.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { equalJson, type JsonObject } from '../value.ts'
import { type Changes, compareObjects, withoutFields } from './compare.ts'
import { difference, type Fields, fieldsNamed, isEmpty, union } from './fields.ts'
import {
  capUpdaters,
  type FieldManager,
  type FieldManagers,
  formatManagers,
  identityOf,
  managersOf,
  parseManagers,
  timeText,
  withoutIdle,
} from './managers.ts'
import { type ChangesAt, changesAtVersions, type Versions } from './versions.ts'

/** Who writes, as managedFields record it. */
export type Writer = {
  /** See `managerName`. Empty: `unknown`. */
  readonly manager: string
  /** `apps/v1`: the version that the object was sent in. */
  readonly apiVersion: string
  /** Empty for the object itself. */
  readonly subresource: string
  readonly nowMs: number
  /** Fields that this path cannot change, so that writing them owns nothing: see `fieldsNamed`. */
  readonly resetFields: Fields
  /** Where the kind is served at others, too. */
  readonly versions?: Versions | undefined
}

export type ManagedUpdate = Writer & {
  /** What is stored; undefined on create. */
  readonly live: KubeObject | undefined
  /** Decoded, defaulted, with managedFields as the client sent them (an empty list is a reset). */
  readonly updated: KubeObject
  readonly objectType: ObjectType
}

/** No manager owns these: they identify the object or are the server's. */
export const NEVER_OWNED = fieldsNamed(
  ...['apiVersion', 'kind', 'metadata', 'metadata.name', 'metadata.namespace'],
  ...['metadata.creationTimestamp', 'metadata.selfLink', 'metadata.uid', 'metadata.clusterName'],
  ...['metadata.generation', 'metadata.managedFields', 'metadata.resourceVersion'],
)

/** metadata.managedFields after the write; undefined when there are none. */
export function updateManagedFields(update: ManagedUpdate): ManagedFieldsEntry[] | undefined {
  const { live, updated, objectType, resetFields } = update
  const managers = managersBefore(update)
  // An object that nobody tracks stays so until somebody applies to it.
  if (managers.size === 0 && live !== undefined) return undefined
  // Fields that are written even when empty are nobody's merit, so a creator does not own them.
  const before = live === undefined ? emptyObject(objectType) : withoutManagedFields(live)
  const after = withoutManagedFields(updated)
  const changes = withoutFields(compareObjects(before, after, objectType), resetFields)
  const { apiVersion, versions } = update
  const at = changesAtVersions({ before, after, apiVersion, changes, resetFields, versions })
  return formatManagers(takeChanged(managers, changes, update, at))
}

/** After `writer` made `changes`; `changesAt` says them in the fields of other versions. */
export function takeChanged(
  managers: FieldManagers,
  changes: Changes,
  writer: Writer,
  changesAt: ChangesAt = () => changes,
): Map<string, FieldManager> {
  const after = new Map<string, FieldManager>()
  for (const [identity, fieldManager] of managers) {
    const told = changesAt(fieldManager.apiVersion)
    after.set(identity, { ...fieldManager, fields: withoutChanged(fieldManager.fields, told) })
  }
  const taken = difference(union(changes.modified, changes.added), NEVER_OWNED)
  if (!isEmpty(taken)) {
    const fieldManager = managerFrom(writer, 'Update', taken)
    const identity = identityOf(fieldManager)
    const mine = after.get(identity)
    after.set(
      identity,
      mine === undefined ? fieldManager : { ...fieldManager, fields: union(taken, mine.fields) },
    )
  }
  withoutIdle(after)
  capUpdaters(after)
  return after
}

export function withoutChanged(fields: Fields, changes: Changes): Fields {
  return difference(
    difference(difference(fields, changes.modified), changes.added),
    changes.removed,
  )
}

export function managerFrom(
  writer: Writer,
  operation: 'Apply' | 'Update',
  fields: Fields,
): FieldManager {
  const { apiVersion, subresource, nowMs } = writer
  const manager = writer.manager === '' ? 'unknown' : writer.manager
  return { manager, operation, apiVersion, subresource, time: timeText(nowMs), fields }
}

/** Clients may write managedFields, but not lose them by not knowing them. */
function managersBefore({ live, updated, subresource }: ManagedUpdate): FieldManagers {
  const stored = live?.metadata.managedFields
  const sent = updated.metadata.managedFields
  if (subresource !== '' || !sent || equalJson(sent, stored)) return managersOf(stored)
  if (isReset(sent)) return new Map()
  try {
    const managers = parseManagers(sent)
    return managers.size > 0 ? managers : managersOf(stored)
  } catch {
    // What the client sent makes no sense; upstream keeps what is stored then, without a word.
    return managersOf(stored)
  }
}

/** `[]` and `[{}]` clear the list. */
function isReset(sent: readonly ManagedFieldsEntry[]): boolean {
  if (sent.length === 0) return true
  return sent.length === 1 && Object.values(sent[0]!).every((value) => value === undefined)
}

export function withoutManagedFields(object: KubeObject): JsonObject {
  if (object.metadata.managedFields === undefined) return object as unknown as JsonObject
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata } as unknown as JsonObject
}

/**
 * True when `updated` differs from `live` in nothing but the times of its managers: then nothing is
 * to be written, and the answer is `live`.
 */
export function onlyTimesDiffer(live: KubeObject, updated: KubeObject): boolean {
  const before = live.metadata.managedFields ?? []
  const after = updated.metadata.managedFields ?? []
  if (before.length !== after.length) return false
  const same = (entry: ManagedFieldsEntry, i: number) =>
    equalJson({ ...entry, time: undefined }, { ...before[i], time: undefined })
  return after.every(same) && equalJson(withoutManagedFields(live), withoutManagedFields(updated))
}

/** Longest name of a manager, in bytes. */
const MANAGER_BYTES_MAX = 128

/** The fieldManager parameter, or the part of the User-Agent header before the first slash. */
export function managerName(fieldManager: string | undefined, userAgent: string): string {
  if (fieldManager) return fieldManager
  let name = ''
  let bytes = 0
  for (const char of userAgent.split('/')[0]!) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) continue
    bytes += Buffer.byteLength(char)
    if (bytes > MANAGER_BYTES_MAX) break
    name += char
  }
  return name
}
