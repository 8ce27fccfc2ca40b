// Source of the rules: apiextensions-apiserver/pkg/apis/apiextensions/validation.

import { own } from '../../../../lib/own.ts'
import { APPROVAL, approvalOf, isProtectedGroup } from '../../../custom/definition-status.ts'
import { child, keyed } from '../../../custom/schema.ts'
import { dns1035LabelFaults, dnsSubdomainFaults } from '../../../names.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkConversion } from './conversion.ts'
import { type Internal, internalOf } from './internal.ts'
import { checkSchema } from './schema-validation.ts'
import { checkColumns, checkSelectableFields, checkSubresources } from './version-parts.ts'

type Definition = CustomResourceDefinition

export function checkDefinition(faults: FieldErrors, definition: Definition, old?: Definition) {
  const { spec, metadata } = definition
  if (old === undefined && metadata.name !== `${spec.names.plural}.${spec.group}`) {
    faults.invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group')
  }
  checkSpec(faults, spec)
  if (old !== undefined) checkImmutable(faults, spec, old)
  checkStatusNames(faults, definition)
  checkStoredVersions(faults, definition)
  checkApproval(faults, definition, old)
  if (spec.preserveUnknownFields && !old?.spec.preserveUnknownFields) {
    const why =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
    faults.invalid('spec.preserveUnknownFields', true, why)
  }
}

export function checkStatusNames(faults: FieldErrors, { status }: Definition) {
  if (status?.acceptedNames) checkNames(faults, status.acceptedNames, 'status.acceptedNames')
}

function checkSpec(faults: FieldErrors, spec: CustomResourceDefinitionSpec) {
  const internal = internalOf(spec)
  checkGroupAndScope(faults, spec)
  internal.versions.forEach((version, i) => {
    if (internal.schema === undefined && version.schema?.openAPIV3Schema === undefined) {
      faults.required(`spec.versions[${i}].schema.openAPIV3Schema`)
    }
  })
  internal.versions.forEach((version, i) => {
    const path = keyed('spec.versions', i)
    const wrong = dns1035LabelFaults(version.name)
    if (wrong.length > 0) faults.invalid(child(path, 'name'), version.name, wrong.join(','))
    checkVersion(faults, version, internal, path)
  })
  checkVersions(faults, spec)
  checkRequiredNames(faults, spec.names)
  checkNames(faults, spec.names, 'spec.names')
  checkWhole(faults, internal)
  checkConversion(faults, spec.conversion)
}

function checkGroupAndScope(faults: FieldErrors, { group, scope }: CustomResourceDefinitionSpec) {
  const wrong = dnsSubdomainFaults(group)
  if (group === '') faults.required('spec.group')
  else if (wrong.length > 0) faults.invalid('spec.group', group, wrong.join(','))
  else if (!group.includes('.')) {
    faults.invalid('spec.group', group, 'should be a domain with at least one dot')
  }
  if (scope === '') faults.required('spec.scope')
  else if (scope !== 'Cluster' && scope !== 'Namespaced') {
    faults.notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])
  }
}

function checkVersion(
  faults: FieldErrors,
  version: CustomResourceDefinitionVersion,
  { subresources }: Internal,
  path: string,
) {
  checkDeprecation(faults, version, path)
  const schema = version.schema?.openAPIV3Schema
  const hasStatus = (subresources ?? version.subresources)?.status !== undefined
  if (schema !== undefined) checkSchema(faults, schema, hasStatus, `${path}.schema`)
  checkSubresources(faults, version.subresources, child(path, 'subresources'))
  checkColumns(faults, version.additionalPrinterColumns, child(path, 'additionalPrinterColumns'))
  const fields = version.selectableFields ?? []
  if (fields.length === 0) return
  const at = child(path, 'selectableFields')
  if (schema !== undefined) checkSelectableFields(faults, fields, schema, at)
  else {
    const why = 'may only be set when `version.schema.openAPIV3Schema` is not included'
    faults.invalid(at, '', why)
  }
}

const WARNING_LENGTH_MAX = 256

function checkDeprecation(
  faults: FieldErrors,
  { deprecated, deprecationWarning: warning }: CustomResourceDefinitionVersion,
  path: string,
) {
  if (warning === undefined) return
  const say = (why: string) => faults.invalid(child(path, 'deprecationWarning'), warning, why)
  if (!deprecated) return say('can only be set for deprecated versions')
  if (Buffer.byteLength(warning) > WARNING_LENGTH_MAX) say('must be <= 256 characters long')
  if (warning === '') say('must not be an empty string')
  const odd = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.exec(warning)
  if (odd === null) return
  const at = Buffer.byteLength(warning.slice(0, odd.index))
  const must = 'must only contain printable UTF-8 characters'
  say(`${must}; non-printable character found at index ${at}`)
}

function checkVersions(faults: FieldErrors, { versions }: CustomResourceDefinitionSpec) {
  const names = (versions ?? []).map(({ name }) => name)
  if (new Set(names).size < names.length) {
    faults.invalid('spec.versions', versions, 'must contain unique version names')
  }
  if ((versions ?? []).filter(({ storage }) => storage).length !== 1) {
    const why = 'must have exactly one version marked as storage version'
    faults.invalid('spec.versions', versions ?? null, why)
  }
  const [first] = names
  const wrong = first ? dns1035LabelFaults(first) : []
  if (wrong.length > 0) faults.invalid('spec.version', first, wrong.join(','))
}

function checkRequiredNames(faults: FieldErrors, names: CustomResourceDefinitionNames) {
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!names[name]) faults.required(`spec.names.${name}`)
  }
}

function checkNames(faults: FieldErrors, names: CustomResourceDefinitionNames, path: string) {
  const judge = (field: string, value: string | undefined, isKind = false) => {
    if (!value) return
    const wrong = dns1035LabelFaults(isKind ? value.toLowerCase() : value)
    if (wrong.length === 0) return
    const mixed = isKind ? 'may have mixed case, but should otherwise match: ' : ''
    faults.invalid(child(path, field), value, mixed + wrong.join(','))
  }
  judge('plural', names.plural)
  judge('singular', names.singular)
  judge('kind', names.kind, true)
  judge('listKind', names.listKind, true)
  for (const [i, name] of (names.shortNames ?? []).entries()) judge(`shortNames[${i}]`, name)
  if (names.kind && names.kind === names.listKind) {
    const why = 'kind and listKind may not be the same'
    faults.invalid(child(path, 'listKind'), names.listKind, why)
  }
  for (const [i, name] of (names.categories ?? []).entries()) judge(`categories[${i}]`, name)
}

function checkWhole(faults: FieldErrors, internal: Internal) {
  const { schema, subresources, columns, selectableFields, versions } = internal
  const hasStatus = [subresources, ...versions.map((version) => version.subresources)].some(
    (one) => one?.status !== undefined,
  )
  if (schema !== undefined) checkSchema(faults, schema, hasStatus, 'spec.validation')
  checkSubresources(faults, subresources, 'spec.subresources')
  checkColumns(faults, columns, 'spec.additionalPrinterColumns')
  if (selectableFields.length === 0) return
  const path = 'spec.selectableFields'
  if (schema !== undefined) checkSelectableFields(faults, selectableFields, schema, path)
  else faults.invalid(path, '', 'may only be set when validations.schema is included')
}

function checkImmutable(faults: FieldErrors, spec: CustomResourceDefinitionSpec, old: Definition) {
  const fixed = (field: string, value: unknown, before: unknown) => {
    if (value !== before) faults.invalid(`spec.${field}`, value, 'field is immutable')
  }
  if (isEstablished(old)) {
    fixed('scope', spec.scope, old.spec.scope)
    fixed('names.kind', spec.names.kind, old.spec.names.kind)
  }
  fixed('group', spec.group, old.spec.group)
  fixed('names.plural', spec.names.plural, old.spec.names.plural)
}

function isEstablished({ status }: Definition): boolean {
  const conditions = status?.conditions ?? []
  return conditions.some((one) => one.type === 'Established' && one.status === 'True')
}

function checkStoredVersions(faults: FieldErrors, { spec, status }: Definition) {
  const path = 'status.storedVersions'
  const stored = status?.storedVersions ?? []
  if (stored.length === 0) {
    faults.invalid(path, null, 'must have at least one stored version')
    return
  }
  const versions = spec.versions ?? []
  for (const { name, storage } of versions) {
    if (!storage || stored.includes(name)) continue
    faults.invalid(path, stored, `must have the storage version ${name}`)
  }
  const names = new Set(versions.map(({ name }) => name))
  stored.forEach((name, i) => {
    if (names.has(name) || stored.lastIndexOf(name) !== i) return
    const was = `${name} was previously a storage version, and must remain in spec.versions`
    const until = `until a storage migration ensures no data remains persisted in ${name}`
    const why = `missing from spec.versions; ${was} ${until} and removes ${name} from status.storedVersions`
    faults.invalid(keyed(path, i), name, why)
  })
}

/** Groups of the community are for kinds that it has reviewed. */
function checkApproval(faults: FieldErrors, definition: Definition, old: Definition | undefined) {
  if (!isProtectedGroup(definition.spec.group)) return
  const annotation = annotationOf(definition)
  const state = approvalOf(annotation)
  if (old !== undefined && approvalOf(annotationOf(old)) === state) return
  const path = `metadata.annotations[${APPROVAL.annotation}]`
  if (state === 'missing') faults.required(path, APPROVAL.missing)
  if (state === 'invalid') faults.invalid(path, annotation, APPROVAL.invalid)
}

function annotationOf({ metadata }: Definition): string {
  return own(metadata.annotations, APPROVAL.annotation) ?? ''
}
