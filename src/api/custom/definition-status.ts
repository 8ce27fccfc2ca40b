// Decides what the status of a definition becomes. Pure.
//
//   new ─► names free? ─► NamesAccepted, Installing ─► Established ─► Terminating ─► gone

import { own } from '../../lib/own.ts'
import { equalJson } from '../patch/value.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '../schema/generated/types.ts'
import { formatTime } from '../time.ts'
import { structuralFaults, unsupportedFault } from './structural.ts'

type Definition = CustomResourceDefinition
type Names = CustomResourceDefinitionNames
type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>

export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io'

export function conditionOf({ status }: Definition, type: string) {
  return status?.conditions?.find((condition) => condition.type === type)
}

export function isTrue(definition: Definition, type: string): boolean {
  return conditionOf(definition, type)?.status === 'True'
}

/** With `condition`, which keeps the time of its last change of status; a new value. */
export function withCondition(
  definition: Definition,
  condition: Condition,
  nowMs: number,
): Definition {
  const { status } = definition
  const before = conditionOf(definition, condition.type)
  const isSame = before?.status === condition.status && before.lastTransitionTime !== undefined
  const lastTransitionTime = isSame ? before.lastTransitionTime! : formatTime(nowMs)
  const next = { ...condition, lastTransitionTime }
  const others = status?.conditions ?? []
  const conditions =
    before === undefined
      ? [...others, next]
      : others.map((one) => (one.type === condition.type ? { ...before, ...next } : one))
  return { ...definition, status: { ...status, conditions } }
}

function withoutCondition(definition: Definition, type: string): Definition {
  const conditions = (definition.status?.conditions ?? []).filter((one) => one.type !== type)
  return { ...definition, status: { ...definition.status, conditions } }
}

/** The definition with its next status, or undefined when it is as it should be. */
export function planStatus(
  definition: Definition,
  others: readonly Definition[],
  nowMs: number,
): Definition | undefined {
  const named = planNames(definition, others, nowMs)
  const shaped = planShape(named, nowMs)
  const approved = planApproval(shaped, nowMs)
  if (!equalJson(approved.status, definition.status)) return approved
  if (isTrue(definition, 'Established') || !isTrue(definition, 'NamesAccepted')) return undefined
  const reason = 'InitialNamesAccepted'
  const message = 'the initial names have been accepted'
  return withCondition(definition, { type: 'Established', status: 'True', reason, message }, nowMs)
}

function planNames(definition: Definition, others: readonly Definition[], nowMs: number) {
  const wanted = definition.spec.names
  const accepted = definition.status?.acceptedNames ?? { plural: '', kind: '' }
  if (equalJson(wanted, accepted)) return definition
  const { names, condition } = judgeNames(wanted, accepted, takenIn(definition, others))
  const isOld = equalJson(names, accepted) && isEquivalent(definition, condition)
  if (isOld) return definition
  const named = { ...definition, status: { ...definition.status, acceptedNames: names } }
  return withEstablished(withCondition(named, condition, nowMs), condition, nowMs)
}

function isEquivalent(definition: Definition, { type, status, reason, message }: Condition) {
  const before = conditionOf(definition, type)
  return before?.status === status && before.reason === reason && before.message === message
}

/** A kind that is served stays served, whatever becomes of its other names. */
function withEstablished(definition: Definition, accepted: Condition, nowMs: number): Definition {
  if (isTrue(definition, 'Established')) return definition
  const type = 'Established'
  const status = 'False'
  if (accepted.status === 'True') {
    const message = 'the initial names have been accepted'
    return withCondition(definition, { type, status, reason: 'Installing', message }, nowMs)
  }
  if (conditionOf(definition, type) !== undefined) return definition
  const message = 'not all names are accepted'
  return withCondition(definition, { type, status, reason: 'NotAccepted', message }, nowMs)
}

type Taken = { resources: ReadonlySet<string>; kinds: ReadonlySet<string> }

/** Names that definitions of the group have, its own among them. */
function takenIn(definition: Definition, others: readonly Definition[]): Taken {
  const group = [definition, ...others].filter(({ spec }) => spec.group === definition.spec.group)
  const names = group.flatMap(({ status }) => status?.acceptedNames ?? [])
  const resources = names.flatMap(({ plural, singular, shortNames = [] }) => {
    return [plural, singular ?? '', ...shortNames]
  })
  const kinds = names.flatMap(({ kind, listKind }) => [kind, listKind ?? ''])
  return { resources: new Set(resources), kinds: new Set(kinds) }
}

/** Takes what is free; of several conflicts the last one is told. */
function judgeNames(wanted: Names, accepted: Names, { resources, kinds }: Taken) {
  const names: Names = { ...accepted }
  let conflict: { reason: string; message: string } | undefined
  const isFree = (name: string, mine: string, taken: ReadonlySet<string>, reason: string) => {
    if (name === mine || !taken.has(name)) return true
    conflict = { reason, message: `${JSON.stringify(name)} is already in use` }
    return false
  }
  const judge = (field: 'plural' | 'singular' | 'kind' | 'listKind', reason: string) => {
    const taken = field === 'kind' || field === 'listKind' ? kinds : resources
    const [name, mine] = [wanted[field] ?? '', accepted[field] ?? '']
    if (isFree(name, mine, taken, reason)) names[field] = name
  }
  judge('plural', 'PluralConflict')
  judge('singular', 'SingularConflict')
  const own = new Set(accepted.shortNames)
  const short = (wanted.shortNames ?? []).filter((name) => !own.has(name) && resources.has(name))
  if (short.length > 0) {
    const said = short.map((name) => `${JSON.stringify(name)} is already in use`)
    const message = said.length === 1 ? said[0]! : `[${said.join(', ')}]`
    conflict = { reason: 'ShortNamesConflict', message }
  } else setNames(names, 'shortNames', wanted.shortNames)
  judge('kind', 'KindConflict')
  judge('listKind', 'ListKindConflict')
  setNames(names, 'categories', wanted.categories)
  const type = 'NamesAccepted'
  const condition: Condition =
    conflict === undefined
      ? { type, status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type, status: 'False', ...conflict }
  return { names: withoutEmpty(names), condition }
}

function setNames(names: Names, field: 'shortNames' | 'categories', value: string[] | undefined) {
  if (value === undefined) delete names[field]
  else names[field] = value
}

function withoutEmpty({ singular, listKind, ...names }: Names): Names {
  return { ...names, ...(singular ? { singular } : {}), ...(listKind ? { listKind } : {}) }
}

/** Definitions of long ago may hold schemas that would be refused today. */
function planShape(definition: Definition, nowMs: number): Definition {
  const type = 'NonStructuralSchema'
  const condition = shapeCondition(definition)
  if (condition !== undefined) {
    return isEquivalent(definition, condition)
      ? definition
      : withCondition(definition, condition, nowMs)
  }
  return conditionOf(definition, type) === undefined
    ? definition
    : withoutCondition(definition, type)
}

function shapeCondition({ spec }: Definition): Condition | undefined {
  const type = 'NonStructuralSchema'
  const said: string[] = []
  if (spec.preserveUnknownFields) {
    said.push('spec.preserveUnknownFields: Invalid value: true: must be false')
  }
  for (const [i, { name, schema }] of (spec.versions ?? []).entries()) {
    const root = schema?.openAPIV3Schema
    if (root === undefined) continue
    const unsupported = unsupportedFault(root)
    if (unsupported !== undefined) {
      const message = `failed to check validation schema for version ${name}: ${unsupported}`
      return { type, status: 'Unknown', reason: 'StructuralError', message }
    }
    const faults = structuralFaults(`spec.versions[${i}].schema.openAPIV3Schema`, root)
    said.push(...faults.map(({ field, message }) => `${field}: ${message}`))
  }
  if (said.length === 0) return undefined
  const message = said.length === 1 ? said[0]! : `[${said.join(', ')}]`
  return { type, status: 'True', reason: 'Violations', message }
}

const APPROVED = 'api-approved.kubernetes.io'
const MUST = `protected groups must have approval annotation "${APPROVED}"`
const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111'

/** Groups of the community say whether it has reviewed them. */
function planApproval(definition: Definition, nowMs: number): Definition {
  if (!isProtectedGroup(definition.spec.group)) return definition
  const condition = approvalCondition(definition)
  if (isEquivalent(definition, condition)) return definition
  return withCondition(definition, condition, nowMs)
}

export function isProtectedGroup(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group)
}

export type Approval = 'missing' | 'invalid' | 'approved' | 'bypassed'

export function approvalOf(annotation: string | undefined): Approval {
  if (!annotation) return 'missing'
  if (annotation.startsWith('unapproved')) return 'bypassed'
  return /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+/i.test(annotation) ? 'approved' : 'invalid'
}

/** What is wrong with an approval, in the words of both the refusal and the condition. */
export const APPROVAL = {
  annotation: APPROVED,
  missing: `${MUST}, ${SEE}`,
  invalid: `${MUST} with either a URL or a reason starting with "unapproved", ${SEE}`,
}

function approvalCondition({ metadata }: Definition): Condition {
  const annotation = own(metadata.annotations, APPROVED) ?? ''
  const type = 'KubernetesAPIApprovalPolicyConformant'
  switch (approvalOf(annotation)) {
    case 'missing':
      return { type, status: 'False', reason: 'MissingAnnotation', message: APPROVAL.missing }
    case 'invalid':
      return { type, status: 'False', reason: 'InvalidAnnotation', message: APPROVAL.invalid }
    case 'approved':
      return {
        type,
        status: 'True',
        reason: 'ApprovedAnnotation',
        message: `approved in ${annotation}`,
      }
    case 'bypassed': {
      const message = `not approved: ${JSON.stringify(annotation)}`
      return { type, status: 'False', reason: 'UnapprovedAnnotation', message }
    }
  }
}
