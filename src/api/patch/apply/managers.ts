// metadata.managedFields as a map from manager to its set, and back.

import type { ManagedFieldsEntry } from '../../schema/generated/types.ts'
import { type Fields, isEmpty, parseFields, sortFields, union } from './fields.ts'
import { compareText } from './path.ts'

export type Operation = 'Apply' | 'Update'

export type Owner = {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339. A configuration that changed nothing leaves its owner without one. */
  readonly time: string | undefined
  readonly fields: Fields
}

/** Owners by identity: one applier per name and sub-resource; an updater has one per version. */
export type Owners = ReadonlyMap<string, Owner>

/** Objects that many different programs write to must not grow without end; upstream's number. */
const UPDATERS_MAX = 10
const ANCIENT = 'ancient-changes'

type Identity = Pick<Owner, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

export function identityOf({ manager, operation, apiVersion, subresource }: Identity): string {
  const version = operation === 'Apply' ? '' : apiVersion
  return JSON.stringify([manager, operation, version, subresource])
}

/** Throws for entries that are no managed fields; the message says what is wrong. */
export function parseOwners(entries: readonly ManagedFieldsEntry[] | undefined): Owners {
  const owners = new Map<string, Owner>()
  for (const [index, entry] of (entries ?? []).entries()) {
    const owner = parseOwner(entry, index)
    owners.set(identityOf(owner), owner)
  }
  return owners
}

/** As `parseOwners`, for entries that `formatOwners` made: taken as they are. */
export function ownersOf(entries: readonly ManagedFieldsEntry[] | undefined): Owners {
  const owners = new Map<string, Owner>()
  for (const entry of entries ?? []) {
    const owner = ownerOf(entry, (entry.fieldsV1 ?? {}) as Fields)
    owners.set(identityOf(owner), owner)
  }
  return owners
}

function parseOwner(entry: ManagedFieldsEntry, index: number): Owner {
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
  return ownerOf(entry, parseFields(entry.fieldsV1))
}

function ownerOf(entry: ManagedFieldsEntry, fields: Fields): Owner {
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
export function formatOwners(owners: Owners): ManagedFieldsEntry[] | undefined {
  if (owners.size === 0) return undefined
  return [...owners.values()].sort(compareOwners).map(formatOwner)
}

function formatOwner(owner: Owner): ManagedFieldsEntry {
  return {
    manager: owner.manager,
    operation: owner.operation,
    apiVersion: owner.apiVersion,
    ...(owner.time === undefined ? {} : { time: owner.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: sortFields(owner.fields) as NonNullable<ManagedFieldsEntry['fieldsV1']>,
    ...(owner.subresource === '' ? {} : { subresource: owner.subresource }),
  }
}

/** Appliers first; within an operation the oldest first. */
function compareOwners(a: Owner, b: Owner): number {
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

/** The same owners without those that own nothing. */
export function withoutIdle(owners: Map<string, Owner>): Map<string, Owner> {
  for (const [identity, owner] of owners) if (isEmpty(owner.fields)) owners.delete(identity)
  return owners
}

/** Folds the oldest updaters of each version into one, until no more than ten are left. */
export function capUpdaters(owners: Map<string, Owner>): void {
  const updaters = [...owners.values()].filter(({ operation }) => operation === 'Update')
  if (updaters.length <= UPDATERS_MAX) return
  updaters.sort(
    (a, b) => secondsOf(a.time) - secondsOf(b.time) || compareText(identityOf(a), identityOf(b)),
  )
  const firstOfVersion = new Map<string, Owner>()
  let count = updaters.length
  for (const owner of updaters) {
    if (count <= UPDATERS_MAX) break
    const first = firstOfVersion.get(owner.apiVersion)
    if (first === undefined) {
      firstOfVersion.set(owner.apiVersion, owner)
      continue
    }
    const bucket = { ...owner, manager: ANCIENT, subresource: '' }
    const identity = identityOf(bucket)
    const collected = owners.get(identity)
    if (collected === undefined) owners.delete(identityOf(first))
    owners.delete(identityOf(owner))
    owners.set(identity, { ...bucket, fields: union(owner.fields, (collected ?? first).fields) })
    count--
  }
}

/** To the second, as metav1.Time is written. */
export function timeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}
