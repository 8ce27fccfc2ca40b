// metadata.managedFields of every write that is no apply.

import type { AnyObject, KubeObject } from '../../../api/object.ts'
import { fieldsNamed } from '../../../api/patch/apply/fields.ts'
import { ItemError } from '../../../api/patch/apply/shape.ts'
import { managerName, updateManagedFields, type Writer } from '../../../api/patch/apply/update.ts'
import type { Versions } from '../../../api/patch/apply/versions.ts'
import type { JsonObject } from '../../../api/patch/value.ts'
import type { Registry } from '../../../api/registry.ts'
import { type AnyRow, groupVersionOf } from '../../../api/resource.ts'
import { objectType } from '../../../api/schema/schema.ts'
import { own } from '../../../lib/own.ts'
import type { BodyType } from '../../request/decode.ts'
import type { ResourceRequest } from '../../server.ts'

type Fields = Writer['resetFields']

const resets = new WeakMap<AnyRow, Map<string, Fields>>()

/** Who writes, through the object itself or one of its sub-resources. */
export function writerOf(request: ResourceRequest, fieldManager: string): Writer {
  const { row, info, call, server } = request
  return {
    manager: managerName(fieldManager, call.header('user-agent') ?? ''),
    apiVersion: groupVersionOf(row),
    subresource: info.subresource,
    nowMs: server.clock.nowMs(),
    resetFields: resetFieldsOf(row, info.subresource),
    versions: versionsOf(server.registry, row),
  }
}

/** Of a kind that is served at several; the objects of all are stored at one of them. */
function versionsOf(registry: Registry, row: AnyRow): Versions | undefined {
  const { group, kind, storagePrefix } = row
  // Nearly all kinds have but one.
  const { versions = [] } = registry.groups().find(({ name }) => name === group) ?? {}
  if (versions.length < 2) return undefined
  const isSame = (other: AnyRow | undefined) => other?.storagePrefix === storagePrefix
  const rowAt = (apiVersion: string) => {
    const [prefix = '', version] = apiVersion.split('/')
    if (prefix !== group || version === undefined) return undefined
    const found = registry.findKind(group, version, kind)
    return isSame(found) ? found : undefined
  }
  return {
    typeAt: (apiVersion) => rowAt(apiVersion)?.schema(),
    convert: (object, from, to) => {
      const [source, target] = [rowAt(from)!, rowAt(to)!]
      const stored = source.toStored?.(object as unknown as KubeObject) ?? object
      const said = target.fromStored?.(stored as KubeObject) ?? stored
      return said as unknown as JsonObject
    },
  }
}

/** Notes in `updated` who owns what after it replaces `live`. */
export function noteManagers(
  request: ResourceRequest,
  live: AnyObject | undefined,
  updated: AnyObject,
  fieldManager: string,
): void {
  const writer = writerOf(request, fieldManager)
  const type = request.row.schema()
  try {
    const managedFields = updateManagedFields({ ...writer, live, updated, objectType: type })
    setManagedFields(updated, managedFields)
  } catch (error) {
    // Upstream tracks no managers in an object whose items it cannot tell apart.
    if (!(error instanceof ItemError)) throw error
    delete updated.metadata.managedFields
  }
}

/** The same for what is answered and never stored: reviews, token requests. */
export function noteManagersOfBody(
  request: ResourceRequest,
  type: BodyType,
  body: AnyObject,
  fieldManager: string,
): void {
  const writer = { ...writerOf(request, fieldManager), apiVersion: groupVersionOf(type) }
  const resetFields = fieldsNamed('status')
  const update = { ...writer, resetFields, live: undefined, updated: body }
  const managedFields = updateManagedFields({ ...update, objectType: objectType(type.type) })
  setManagedFields(body, managedFields)
}

export function setManagedFields(
  object: AnyObject,
  managedFields: AnyObject['metadata']['managedFields'],
): void {
  if (managedFields === undefined || managedFields.length === 0)
    delete object.metadata.managedFields
  else object.metadata.managedFields = managedFields
}

function resetFieldsOf(row: AnyRow, subresource: string): Fields {
  let known = resets.get(row)
  if (known === undefined) {
    known = new Map()
    resets.set(row, known)
  }
  let fields = known.get(subresource)
  if (fields === undefined) {
    fields = fieldsNamed(...resetPaths(row, subresource))
    known.set(subresource, fields)
  }
  return fields
}

/** Upstream: what a path may not change, nobody comes to own through it. */
function resetPaths(row: AnyRow, subresource: string): readonly string[] {
  if (subresource === '') return row.resets
  const part = subresource === 'status' ? row.status : own(row.parts, subresource)
  if (part?.resets) return part.resets
  return part?.writes.includes('status') ? ['spec'] : ['status']
}
