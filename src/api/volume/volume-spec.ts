// What a persistent volume must say, as an object or inside a VolumeAttachment
// (pkg/apis/core/validation).

import { checkNodeSelector } from '../node/selector.ts'
import { compareQuantity, parseQuantity, wholeUnits, ZERO } from '../quantity.ts'
import type { PersistentVolumeSpec } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkSupported } from '../validation/values.ts'
import { checkAccessModes, VOLUME_MODES } from './modes.ts'
import { checkClassName, checkSource } from './sources.ts'

export function checkVolumeSpec(
  faults: FieldErrors,
  at: string,
  spec: PersistentVolumeSpec,
  name: string,
) {
  checkModes(faults, at, spec)
  checkCapacity(faults, `${at}.capacity`, spec.capacity ?? {})
  const policy = spec.persistentVolumeReclaimPolicy
  if (policy) {
    const path = `${at}.persistentVolumeReclaimPolicy`
    checkSupported(faults, path, policy, ['Delete', 'Recycle', 'Retain'])
  }
  checkAffinity(faults, `${at}.nodeAffinity`, spec)
  checkSource(faults, at, spec, name)
  if (isRoot(spec.hostPath?.path) && policy === 'Recycle') {
    const detail = "may not be 'recycle' for a hostPath mount of '/'"
    faults.forbidden(`${at}.persistentVolumeReclaimPolicy`, detail)
  }
  if (spec.storageClassName) {
    checkClassName(faults, `${at}.storageClassName`, spec.storageClassName)
  }
  if (spec.volumeMode !== undefined) {
    checkSupported(faults, `${at}.volumeMode`, spec.volumeMode, VOLUME_MODES)
  }
  checkAttributesClass(faults, at, spec)
}

const INLINE = 'in the context of inline volumes'

/** A volume that was written into a pod, and is being attached: it has no claim of its own. */
export function checkInlineVolumeSpec(faults: FieldErrors, at: string, spec: PersistentVolumeSpec) {
  if (spec.claimRef) faults.forbidden(`${at}.claimRef`, `may not be specified ${INLINE}`)
  if (Object.keys(spec.capacity ?? {}).length > 0) {
    faults.forbidden(`${at}.capacity`, `may not be specified ${INLINE}`)
  }
  if (spec.csi === undefined) faults.required(`${at}.csi`, `has to be specified ${INLINE}`)
  checkModes(faults, at, spec)
  if ((spec.persistentVolumeReclaimPolicy || 'Retain') !== 'Retain') {
    faults.forbidden(`${at}.persistentVolumeReclaimPolicy`, `may only be Retain ${INLINE}`)
  }
  if (spec.nodeAffinity) faults.forbidden(`${at}.nodeAffinity`, `may not be specified ${INLINE}`)
  checkSource(faults, at, spec, '')
  if (spec.storageClassName) {
    faults.forbidden(`${at}.storageClassName`, `may not be specified ${INLINE}`)
  }
  if ((spec.volumeMode ?? 'Filesystem') !== 'Filesystem') {
    const detail = `may not specify volumeMode other than Filesystem ${INLINE}`
    faults.forbidden(`${at}.volumeMode`, detail)
  }
}

function checkModes(faults: FieldErrors, at: string, { accessModes = [] }: PersistentVolumeSpec) {
  if (accessModes.length === 0) faults.required(`${at}.accessModes`)
  checkAccessModes(faults, `${at}.accessModes`, accessModes)
}

function checkCapacity(
  faults: FieldErrors,
  at: string,
  capacity: Readonly<Record<string, string>>,
) {
  const entries = Object.entries(capacity)
  if (entries.length === 0) faults.required(at)
  if (!Object.hasOwn(capacity, 'storage') || entries.length > 1) {
    const shown = Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
    faults.notSupported(at, entries.length === 0 ? null : shown, ['storage'])
  }
  for (const [name, text] of entries) {
    const quantity = parseQuantity(text)
    const units = wholeUnits(quantity)
    if (units < 0) faults.invalid(`${at}[${name}]`, units, 'must be a valid resource quantity')
    if (compareQuantity(quantity, ZERO) <= 0) {
      faults.invalid(`${at}[${name}]`, text, 'must be greater than zero')
    }
  }
}

function checkAffinity(faults: FieldErrors, at: string, { nodeAffinity }: PersistentVolumeSpec) {
  if (nodeAffinity === undefined) return
  const { required } = nodeAffinity
  if (required) checkNodeSelector(faults, `${at}.required`, required)
  else faults.required(`${at}.required`, 'must specify required node constraints')
}

function checkAttributesClass(faults: FieldErrors, at: string, spec: PersistentVolumeSpec) {
  const name = spec.volumeAttributesClassName
  if (name === undefined) return
  const path = `${at}.volumeAttributesClassName`
  if (name === '') faults.required(path, 'an empty string is disallowed')
  else checkClassName(faults, path, name)
  if (spec.csi) return
  faults.required(`${at}.csi`, 'has to be specified when using volumeAttributesClassName')
}

/** Also `//` and `/./`. */
function isRoot(path: string | undefined): boolean {
  return (
    path?.startsWith('/') === true && path.split('/').every((part) => part === '' || part === '.')
  )
}
