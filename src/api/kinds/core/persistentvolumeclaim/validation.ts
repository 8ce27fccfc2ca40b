// What a PersistentVolumeClaim must be, and what of it may change (pkg/apis/core/validation).

import { own } from '../../../../lib/own.ts'
import { qualifiedNameFaults } from '../../../names.ts'
import { internalForm, internalText } from '../../../pod/internal-form.ts'
import { unifiedDiff } from '../../../pod/unified-diff.ts'
import { compareQuantity, parseQuantity, wholeUnits } from '../../../quantity.ts'
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { shownSelector } from '../../../validation/labels.ts'
import { checkImmutable } from '../../../validation/values.ts'
import { checkClaimSpec } from '../../../volume/claim-spec.ts'
import { CLASS_ANNOTATION } from '../../../volume/class.ts'

type Claim = PersistentVolumeClaim

export function checkClaim(faults: FieldErrors, claim: Claim, old: Claim | undefined) {
  checkClaimSpec(faults, 'spec', claim.spec)
  if (old) checkUpdate(faults, claim, old)
}

function checkUpdate(faults: FieldErrors, claim: Claim, old: Claim) {
  if (!isMovedFromAnnotation(claim, old)) {
    const [now, before] = [claim, old].map(({ metadata }) =>
      own(metadata.annotations, CLASS_ANNOTATION),
    )
    checkImmutable(faults, `metadata.annotations.${CLASS_ANNOTATION}`, now ?? '', before ?? '')
  }
  const [now, before] = [shown(masked(claim, old)), shown(unchanged(claim, old))]
  if (now !== before) {
    const what = 'except resources.requests and volumeAttributesClassName for bound claims'
    const detail = `spec is immutable after creation ${what}\n${unifiedDiff(before, now)}`
    faults.forbidden('spec', detail)
  }
  checkSize(faults, claim, old)
  checkImmutable(faults, 'volumeMode', claim.spec.volumeMode, old.spec.volumeMode)
  checkAttributesClass(faults, claim, old)
}

/** The class stood in an annotation, and now stands in the field. */
function isMovedFromAnnotation(claim: Claim, old: Claim): boolean {
  const [now, before] = [claim, old].map(({ metadata }) =>
    own(metadata.annotations, CLASS_ANNOTATION),
  )
  if (before === undefined || old.spec.storageClassName !== undefined) return false
  return claim.spec.storageClassName === before && (now === undefined || now === before)
}

/** The new spec, with what may change as it was. */
function masked(claim: Claim, old: Claim): PersistentVolumeClaimSpec {
  const spec = { ...claim.spec }
  if (isMovedFromAnnotation(claim, old)) delete spec.storageClassName
  else if (isFirstClass(claim, old)) delete spec.storageClassName
  if (claim.status?.phase !== 'Bound') return spec
  if (spec.resources?.requests) {
    const storage = own(old.spec.resources?.requests, 'storage') ?? '0'
    spec.resources = { ...spec.resources, requests: { ...spec.resources.requests, storage } }
  }
  delete spec.volumeAttributesClassName
  const before = old.spec.volumeAttributesClassName
  return before === undefined ? spec : { ...spec, volumeAttributesClassName: before }
}

/** A claim that was made before there was a default class may get one. */
function isFirstClass(claim: Claim, old: Claim): boolean {
  const name = claim.spec.storageClassName
  if (name === undefined || old.spec.storageClassName !== undefined) return false
  return (own(old.metadata.annotations, CLASS_ANNOTATION) ?? name) === name
}

/** The old spec; its volume may be named once. */
function unchanged(claim: Claim, old: Claim): PersistentVolumeClaimSpec {
  const { volumeName } = claim.spec
  return old.spec.volumeName || !volumeName ? old.spec : { ...old.spec, volumeName }
}

function shown(spec: PersistentVolumeClaimSpec): string {
  const selector = shownSelector(spec.selector)
  const whole = selector === null ? spec : { ...spec, selector }
  return internalText(internalForm('PersistentVolumeClaimSpec', whole))
}

function checkSize(faults: FieldErrors, claim: Claim, old: Claim) {
  const size = sizeOf(claim.spec.resources?.requests)
  if (compareQuantity(size, sizeOf(old.spec.resources?.requests)) >= 0) return
  if (compareQuantity(size, sizeOf(old.status?.capacity)) > 0) return
  faults.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')
}

function sizeOf(amounts: Readonly<Record<string, string>> | undefined) {
  return parseQuantity(own(amounts, 'storage') ?? '0')
}

function checkAttributesClass(faults: FieldErrors, { spec }: Claim, { status }: Claim) {
  if (status?.currentVolumeAttributesClassName === undefined) return
  if (spec.volumeAttributesClassName) return
  const what = spec.volumeAttributesClassName === undefined ? 'nil' : 'empty string'
  const when = 'is forbidden when status.currentVolumeAttributesClassName is not nil'
  faults.forbidden('spec.volumeAttributesClassName', `update to ${what} ${when}`)
}

const RESIZE_STATES = [
  ...['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress'],
  ...['NodeResizeInfeasible', 'NodeResizePending'],
]

export function checkClaimStatus(faults: FieldErrors, { spec, status }: Claim) {
  if ((spec.accessModes ?? []).length === 0) faults.required('Spec.accessModes')
  for (const [name, text] of Object.entries(status?.capacity ?? {})) {
    checkAmount(faults, `status.capacity[${name}]`, text)
  }
  for (const [name, state] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    const at = 'status.allocatedResourceStatuses'
    checkResourceKey(faults, at, name)
    if (!RESIZE_STATES.includes(state)) faults.notSupported(at, name, RESIZE_STATES)
  }
  for (const [name, text] of Object.entries(status?.allocatedResources ?? {})) {
    const at = 'status.allocatedResources'
    if (checkResourceKey(faults, at, name)) checkAmount(faults, `${at}[${name}]`, text)
  }
}

function checkAmount(faults: FieldErrors, at: string, text: string) {
  const units = wholeUnits(parseQuantity(text))
  if (units < 0) faults.invalid(at, units, 'must be a valid resource quantity')
}

function checkResourceKey(faults: FieldErrors, at: string, name: string): boolean {
  const details = qualifiedNameFaults(name)
  faults.invalidAll(at, name, details)
  if (details.length > 0) return false
  const isNative = !name.includes('/') || name.includes('kubernetes.io/')
  if (!isNative || name === 'storage') return true
  faults.notSupported(at, name, ['storage'])
  return false
}
