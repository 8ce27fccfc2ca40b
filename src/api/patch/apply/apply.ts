// Server-side apply (KEP-555): lays a configuration over the live object, refuses to change what
// others own, removes what this manager no longer applies.

import type { KubeObject } from '../../object.ts'
import { emptyObject } from '../../schema/empty.ts'
import type { ManagedFieldsEntry } from '../../schema/generated/types.ts'
import type { ObjectType } from '../../schema/schema.ts'
import { ApiError, badRequest } from '../../status.ts'
import { equalJson, isObject, type JsonObject } from '../value.ts'
import { compareObjects, withoutFields } from './compare.ts'
import { applyConflict, type Conflict, conflictsOf, conflictsOutside } from './conflicts.ts'
import { fieldsOf } from './extract.ts'
import { difference, recursiveDifference } from './fields.ts'
import { fieldsLastApplied, KUBECTL, withLastApplied } from './last-applied.ts'
import {
  type FieldManager,
  type FieldManagers,
  formatManagers,
  identityOf,
  managersOf,
  withoutIdle,
} from './managers.ts'
import { prune } from './prune.ts'
import { mergeObjects } from './typed-merge.ts'
import {
  managerFrom,
  NEVER_OWNED,
  takeChanged,
  type Writer,
  withoutChanged,
  withoutManagedFields,
} from './update.ts'
import { faultsOf, faultText } from './validate.ts'
import { changesAtVersions } from './versions.ts'

export type ApplyRequest = Writer & {
  /** What is stored; undefined when this creates it. */
  readonly live: KubeObject | undefined
  /** The body, parsed. */
  readonly config: unknown
  readonly objectType: ObjectType
  /** The kind of the path; the configuration must be of the same one. */
  readonly kind: string
  /** Takes fields from others instead of failing. */
  readonly force: boolean
}

export type Applied = {
  /** To be decoded and defaulted by the caller; without managedFields. */
  readonly object: JsonObject
  readonly managedFields: ManagedFieldsEntry[] | undefined
}

/** Who owns what was there before anybody applied to an object without managedFields. */
const BEFORE_FIRST_APPLY = 'before-first-apply'

/** Throws 400 for what is no configuration of this kind, 409 for conflicts, 500 for wrong types. */
export function applyConfiguration(request: ApplyRequest): Applied {
  const config = checkedConfig(request)
  const before = managersBefore(request)
  const first = attempt(request, config, before, request.force)
  if (first.conflicts === undefined) return first.applied
  return attemptAsKubectl(request, config, before, first.conflicts)
}

/** Conflicts over what kubectl itself applied from the client before are none. */
function attemptAsKubectl(
  request: ApplyRequest,
  config: JsonObject,
  before: FieldManagers,
  conflicts: readonly Conflict[],
): Applied {
  const { live, manager, apiVersion, objectType } = request
  if (manager !== KUBECTL || live === undefined) throw applyConflict(conflicts)
  const allowed = fieldsLastApplied(withoutManagedFields(live), apiVersion, objectType)
  const left = allowed === undefined ? conflicts : conflictsOutside(conflicts, allowed)
  if (left.length > 0) throw applyConflict(left)
  const forced = attempt(request, config, before, true)
  if (forced.conflicts !== undefined) throw applyConflict(forced.conflicts)
  return forced.applied
}

type Attempt = { applied: Applied; conflicts?: never } | { conflicts: readonly Conflict[] }

function attempt(
  request: ApplyRequest,
  config: JsonObject,
  before: FieldManagers,
  force: boolean,
): Attempt {
  const { live, objectType, resetFields } = request
  const old = live === undefined ? emptyObject(objectType) : withoutManagedFields(live)
  const me = managerFrom(
    request,
    'Apply',
    recursiveDifference(fieldsOf(config, objectType), resetFields),
  )
  const identity = identityOf(me)
  const managers = new Map(before).set(identity, me)

  const merged = mergeObjects(old, config, objectType)
  const object = prune(merged, before.get(identity), managers, request)
  const { apiVersion, versions } = request
  const changes = withoutFields(compareObjects(old, object, objectType), resetFields)
  const comparison = { before: old, after: object, apiVersion, changes, resetFields, versions }
  const changesAt = changesAtVersions(comparison)
  const conflicts = conflictsOf(managers, identity, changesAt)
  if (conflicts.length > 0 && !force) return { conflicts }

  for (const [other, fieldManager] of managers) {
    if (other === identity) continue
    const fields = withoutChanged(fieldManager.fields, changesAt(fieldManager.apiVersion))
    managers.set(other, { ...fieldManager, fields })
  }
  const changed = !equalJson(old, object)
  // A configuration that changes nothing does not move the time, and writes nothing.
  const time = changed ? me.time : before.get(identity)?.time
  managers.set(identity, { ...me, time, fields: difference(me.fields, NEVER_OWNED) })
  const result = changed ? object : old
  return {
    applied: {
      object: request.manager === KUBECTL ? withLastApplied(result, config) : result,
      managedFields: formatManagers(withoutIdle(managers)),
    },
  }
}

function managersBefore(request: ApplyRequest): FieldManagers {
  const { live, objectType, resetFields } = request
  if (live === undefined) return new Map()
  const managers = managersOf(live.metadata.managedFields)
  if (managers.size > 0) return managers
  const all = compareObjects(emptyObject(objectType), withoutManagedFields(live), objectType)
  const everybody = { ...request, manager: BEFORE_FIRST_APPLY }
  return takeChanged(new Map<string, FieldManager>(), withoutFields(all, resetFields), everybody)
}

function checkedConfig({ config, kind, apiVersion, objectType }: ApplyRequest): JsonObject {
  if (!isObject(config)) {
    const what = Array.isArray(config) ? 'array' : typeof config
    const go = `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`
    throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${go}`)
  }
  if (config.apiVersion !== apiVersion || config.kind !== kind) {
    throw badRequest(`invalid object type: ${kindText(config.apiVersion, config.kind)}`)
  }
  const metadata = isObject(config.metadata) ? config.metadata : {}
  if (metadata.managedFields !== undefined && metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const faults = faultsOf(config, objectType)
  if (faults.length === 0) return config
  const where = `${text(metadata.namespace)}/${text(metadata.name)}`
  const what = `${where}; ${kindText(apiVersion, kind)}`
  // Upstream fails without a reason here, which makes it a 500.
  throw new ApiError(500, '', `failed to create typed patch object (${what}): ${faultText(faults)}`)
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

/** `apps/v1, Kind=Deployment`, as Go prints a GroupVersionKind. */
function kindText(apiVersion: unknown, kind: unknown): string {
  const version = text(apiVersion)
  return `${version.includes('/') ? version : `/${version}`}, Kind=${text(kind)}`
}
