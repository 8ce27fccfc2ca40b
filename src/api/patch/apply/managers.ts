// metadata.managedFields as a map from manager to its set, and back.

import type { ManagedFieldsEntry } from '../../schema/generated/types.ts'
import { type Fields, isEmpty, parseFields, sortFields, union } from './fields.ts'
import { compareText } from './path.ts'

export type Operation = 'Apply' | 'Update'

export type FieldManager = {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339. A configuration that changed nothing leaves its manager without one. */
  readonly time: string | undefined
  readonly fields: Fields
}

/** By identity: an applier is one per name and sub-resource, an updater per version too. */
export type FieldManagers = ReadonlyMap<string, FieldManager>

/** Objects that many different programs write to must not grow without end; upstream's number. */
const UPDATERS_MAX = 10
const ANCIENT = 'ancient-changes'

type Identity = Pick<FieldManager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

export function identityOf({ manager, operation, apiVersion, subresource }: Identity): string {
  const version = operation === 'Apply' ? '' : apiVersion
  return JSON.stringify([manager, operation, version, subresource])
}

/** Throws for entries that are no managed fields; the message says what is wrong. */
export function parseManagers(entries: readonly ManagedFieldsEntry[] | undefined): FieldManagers {
  const managers = new Map<string, FieldManager>()
  for (const [index, entry] of (entries ?? []).entries()) {
    const fieldManager = parseManager(entry, index)
    managers.set(identityOf(fieldManager), fieldManager)
  }
  return managers
}

/** As `parseManagers`, for entries that `formatManagers` made: taken as they are. */
export function managersOf(entries: readonly ManagedFieldsEntry[] | undefined): FieldManagers {
  const managers = new Map<string, FieldManager>()
  for (const entry of entries ?? []) {
    const fieldManager = managerOf(entry, (entry.fieldsV1 ?? {}) as Fields)
    managers.set(identityOf(fieldManager), fieldManager)
  }
  return managers
}

function parseManager(entry: ManagedFieldsEntry, index: number): FieldManager {
  const { operation, apiVersion, fieldsType } = entry
  if (operation !== 'Apply' && operation !== 'Update') {
    throw new Error('operation must be `Apply` or `Update`')
  }
  if (!apiVersion) throw new Error('apiVersion must not be empty')
  if (!fieldsType) throw new Error(`missing fieldsType in managed fields entry ${index}`)
  if (fieldsType !== 'FieldsV1') {
    const type = JSON.stringify(fieldsType)
    throw new Error(`invalid fieldsType ${type} in managed fields entry ${index}`)
  }
  return managerOf(entry, parseFields(entry.fieldsV1))
}

function managerOf(entry: ManagedFieldsEntry, fields: Fields): FieldManager {
  return {
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource ?? '',
    time: entry.time ?? undefined,
    fields,
  }
}

/** Undefined when nobody owns anything. */
export function formatManagers(managers: FieldManagers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined
  return [...managers.values()].sort(compareManagers).map(formatManager)
}

function formatManager(fieldManager: FieldManager): ManagedFieldsEntry {
  return {
    manager: fieldManager.manager,
    operation: fieldManager.operation,
    apiVersion: fieldManager.apiVersion,
    ...(fieldManager.time === undefined ? {} : { time: fieldManager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: sortFields(fieldManager.fields) as NonNullable<ManagedFieldsEntry['fieldsV1']>,
    ...(fieldManager.subresource === '' ? {} : { subresource: fieldManager.subresource }),
  }
}

/** Appliers first; within an operation the oldest first. */
function compareManagers(a: FieldManager, b: FieldManager): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a.time) - secondsOf(b.time) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  )
}

const secondsOf = (time: string | undefined) =>
  time === undefined ? 0 : Math.floor(Date.parse(time) / 1000)

/** The same managers without those that own nothing. */
export function withoutIdle(managers: Map<string, FieldManager>): Map<string, FieldManager> {
  for (const [identity, fieldManager] of managers)
    if (isEmpty(fieldManager.fields)) managers.delete(identity)
  return managers
}

/** Folds the oldest updaters of each version into one, until no more than ten are left. */
export function capUpdaters(managers: Map<string, FieldManager>): void {
  const updaters = [...managers.values()].filter(({ operation }) => operation === 'Update')
  if (updaters.length <= UPDATERS_MAX) return
  updaters.sort(
    (a, b) => secondsOf(a.time) - secondsOf(b.time) || compareText(identityOf(a), identityOf(b)),
  )
  const firstOfVersion = new Map<string, FieldManager>()
  let count = updaters.length
  for (const fieldManager of updaters) {
    if (count <= UPDATERS_MAX) break
    const first = firstOfVersion.get(fieldManager.apiVersion)
    if (first === undefined) {
      firstOfVersion.set(fieldManager.apiVersion, fieldManager)
      continue
    }
    const bucket = { ...fieldManager, manager: ANCIENT, subresource: '' }
    const identity = identityOf(bucket)
    const collected = managers.get(identity)
    if (collected === undefined) managers.delete(identityOf(first))
    managers.delete(identityOf(fieldManager))
    managers.set(identity, {
      ...bucket,
      fields: union(fieldManager.fields, (collected ?? first).fields),
    })
    count--
  }
}

/** To the second, as metav1.Time is written. */
export function timeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}
