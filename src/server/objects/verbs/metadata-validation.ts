// Rules for `metadata`, which all kinds share. Words: apimachinery's api/validation/objectmeta.go.

import { dnsLabelFaults, labelValueFaults, qualifiedNameFaults } from '../../../api/names.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { AnyRow, MetadataJudges } from '../../../api/resource.ts'
import type {
  ManagedFieldsEntry,
  ObjectMeta,
  OwnerReference,
} from '../../../api/schema/generated/types.ts'
import { type FieldError, fieldError } from '../../../api/status.ts'
import { checkFieldManager } from '../../request/options.ts'

const ANNOTATION_BYTES_MAX = 256 * 1024
const SUBRESOURCE_BYTES_MAX = 256

/** Faults of a new object; the name has been generated. */
export function creationFaults(row: AnyRow, object: AnyObject): FieldError[] {
  const common = commonFaults(row, object)
  const own = row.rules.flatMap((rule) => rule(object, undefined))
  // Where a kind leaves metadata to the registry, that looks last, and only at what is fine so far.
  if (row.metadataJudges.length === 0) return own.length > 0 ? own : common
  return [...common, ...unqualifiedFinalizers(row, object.metadata), ...own]
}

/** Faults of a change. What the server keeps by itself has been put back before. */
export function metadataUpdateFaults(
  row: AnyRow,
  judges: MetadataJudges,
  object: AnyObject,
  old: AnyObject,
): FieldError[] {
  const common = commonFaults(row, object)
  const change = changeFaults(object, old)
  if (common.length === 0 && change.length === 0 && !object.metadata.finalizers) return []
  const finalizers = unqualifiedFinalizers(row, object.metadata)
  return [
    ...[...common, ...change],
    ...judges.flatMap((what) => [...(what === 'whole' ? common : change), ...finalizers]),
  ]
}

/** Finalizers without a domain are upstream's own three. */
function unqualifiedFinalizers(row: AnyRow, meta: ObjectMeta): FieldError[] {
  if (row.freeFinalizers) return []
  const detail = 'name is neither a standard finalizer name nor is it fully qualified'
  return (meta.finalizers ?? []).flatMap((name, i) =>
    name.includes('/') || STANDARD_FINALIZERS.has(name)
      ? []
      : [fieldError.invalid(`metadata.finalizers[${i}]`, name, detail)],
  )
}

const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

function commonFaults(row: AnyRow, object: AnyObject): FieldError[] {
  const meta = object.metadata
  const errors: FieldError[] = []
  if (meta.generateName) {
    for (const fault of row.nameRule(meta.generateName, true)) {
      errors.push(fieldError.invalid('metadata.generateName', meta.generateName, fault))
    }
  }
  if (!meta.name) {
    errors.push(fieldError.required('metadata.name', 'name or generateName is required'))
  } else {
    for (const fault of row.nameRule(meta.name, false)) {
      errors.push(fieldError.invalid('metadata.name', meta.name, fault))
    }
  }
  namespaceFaults(row, meta, errors)
  if ((meta.generation ?? 0) < 0) {
    const detail = 'must be greater than or equal to 0'
    errors.push(fieldError.invalid('metadata.generation', meta.generation, detail))
  }
  if (meta.labels) labelFaults(meta.labels, errors)
  if (meta.annotations) annotationFaults(meta.annotations, errors)
  if (meta.ownerReferences) ownerFaults(meta.ownerReferences, errors)
  if (meta.finalizers) finalizerFaults(meta.finalizers, errors)
  if (meta.managedFields) managedFieldsFaults(meta.managedFields, errors)
  return errors
}

function namespaceFaults(row: AnyRow, meta: ObjectMeta, errors: FieldError[]): void {
  const field = 'metadata.namespace'
  if (row.scope === 'Cluster') {
    if (meta.namespace) errors.push(fieldError.forbidden(field, 'not allowed on this type'))
  } else if (!meta.namespace) {
    errors.push(fieldError.required(field, ''))
  } else {
    for (const fault of dnsLabelFaults(meta.namespace)) {
      errors.push(fieldError.invalid(field, meta.namespace, fault))
    }
  }
}

function labelFaults(labels: Record<string, string>, errors: FieldError[]): void {
  for (const [key, value] of Object.entries(labels)) {
    for (const fault of qualifiedNameFaults(key)) {
      errors.push(fieldError.invalid('metadata.labels', key, fault))
    }
    for (const fault of labelValueFaults(value)) {
      errors.push(fieldError.invalid('metadata.labels', value, fault))
    }
  }
}

function annotationFaults(annotations: Record<string, string>, errors: FieldError[]): void {
  let bytes = 0
  for (const [key, value] of Object.entries(annotations)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    for (const fault of qualifiedNameFaults(key.toLowerCase())) {
      errors.push(fieldError.invalid('metadata.annotations', key, fault))
    }
  }
  if (bytes > ANNOTATION_BYTES_MAX) {
    errors.push(fieldError.tooLong('metadata.annotations', ANNOTATION_BYTES_MAX))
  }
}

function ownerFaults(owners: readonly OwnerReference[], errors: FieldError[]): void {
  const field = 'metadata.ownerReferences'
  let controller = ''
  for (const owner of owners) {
    const version = owner.apiVersion.split('/').at(-1)
    if (!version) {
      const detail = 'version must not be empty'
      errors.push(fieldError.invalid(`${field}.apiVersion`, owner.apiVersion, detail))
    }
    for (const part of ['kind', 'name', 'uid'] as const) {
      if (owner[part]) continue
      errors.push(fieldError.invalid(`${field}.${part}`, owner[part], 'must not be empty'))
    }
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      const detail = '/v1, Kind=Event is disallowed from being an owner'
      errors.push(fieldError.invalid(field, owner, detail))
    }
    if (!owner.controller) continue
    const name = `${owner.kind}/${owner.name}`
    if (controller !== '') {
      const found = `Found "true" in references for ${controller} and ${name}`
      const detail = `Only one reference can have Controller set to true. ${found}`
      errors.push(fieldError.invalid(field, owners, detail))
    } else {
      controller = name
    }
  }
}

function finalizerFaults(finalizers: readonly string[], errors: FieldError[]): void {
  const field = 'metadata.finalizers'
  for (const finalizer of finalizers) {
    for (const fault of qualifiedNameFaults(finalizer)) {
      errors.push(fieldError.invalid(field, finalizer, fault))
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const detail = 'finalizer orphan and foregroundDeletion cannot be both set'
    errors.push(fieldError.invalid(field, finalizers, detail))
  }
}

function managedFieldsFaults(entries: readonly ManagedFieldsEntry[], errors: FieldError[]): void {
  entries.forEach((entry, i) => {
    const field = `metadata.managedFields[${i}]`
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      const detail = 'must be `Apply` or `Update`'
      errors.push(fieldError.invalid(`${field}.operation`, entry.operation ?? '', detail))
    }
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1') {
      errors.push(fieldError.invalid(`${field}.fieldsType`, entry.fieldsType, 'must be `FieldsV1`'))
    }
    errors.push(...checkFieldManager(entry.manager ?? '', `${field}.manager`))
    if (Buffer.byteLength(entry.subresource ?? '') > SUBRESOURCE_BYTES_MAX) {
      errors.push(fieldError.tooLong(`${field}.subresource`, SUBRESOURCE_BYTES_MAX))
    }
  })
}

const IMMUTABLE = 'field is immutable'

function changeFaults(object: AnyObject, old: AnyObject): FieldError[] {
  const [meta, before] = [object.metadata, old.metadata]
  const errors: FieldError[] = []
  if (before.deletionTimestamp && meta.finalizers) {
    const known = new Set(before.finalizers)
    const added = [...new Set(meta.finalizers)].filter((name) => !known.has(name)).sort()
    if (added.length > 0) {
      const found = `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`
      const why = 'no new finalizers can be added if the object is being deleted'
      const detail = `${why}, found new finalizers ${found}`
      errors.push(fieldError.forbidden('metadata.finalizers', detail))
    }
  }
  if ((meta.generation ?? 0) < (before.generation ?? 0)) {
    const detail = 'must not be decremented'
    errors.push(fieldError.invalid('metadata.generation', meta.generation ?? 0, detail))
  }
  const fixed = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp'] as const
  for (const part of [...fixed, 'deletionGracePeriodSeconds'] as const) {
    if (meta[part] === before[part]) continue
    errors.push(fieldError.invalid(`metadata.${part}`, meta[part] ?? '', IMMUTABLE))
  }
  if (meta.labels) labelFaults(meta.labels, errors)
  if (meta.annotations) annotationFaults(meta.annotations, errors)
  if (meta.ownerReferences) ownerFaults(meta.ownerReferences, errors)
  if (meta.managedFields) managedFieldsFaults(meta.managedFields, errors)
  return errors
}
