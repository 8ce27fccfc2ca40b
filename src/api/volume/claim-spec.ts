// What a claim for storage must say, alone or as a template in a pod (pkg/apis/core/validation).

import { dnsSubdomainFaults, isDnsLabelName, isDnsSubdomainName } from '../names.ts'
import { compareQuantity, parseQuantity, ZERO } from '../quantity.ts'
import type { PersistentVolumeClaimSpec } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkLabelSelector } from '../validation/labels.ts'
import { checkSupported } from '../validation/values.ts'
import { checkAccessModes, VOLUME_MODES } from './modes.ts'

export function checkClaimSpec(faults: FieldErrors, at: string, spec: PersistentVolumeClaimSpec) {
  const modes = spec.accessModes ?? []
  if (modes.length === 0) {
    faults.required(`${at}.accessModes`, 'at least 1 access mode is required')
  }
  checkLabelSelector(faults, `${at}.selector`, spec.selector)
  checkAccessModes(faults, `${at}.accessModes`, modes)
  const storage = spec.resources?.requests?.storage
  if (storage === undefined) faults.required(`${at}.resources[storage]`)
  else if (compareQuantity(parseQuantity(storage), ZERO) <= 0) {
    faults.invalid(`${at}.resources[storage]`, storage, 'must be greater than zero')
  }
  checkClass(faults, `${at}.storageClassName`, spec.storageClassName)
  if (spec.volumeMode !== undefined) {
    checkSupported(faults, `${at}.volumeMode`, spec.volumeMode, VOLUME_MODES)
  }
  checkDataSources(faults, at, spec)
  checkClass(faults, `${at}.volumeAttributesClassName`, spec.volumeAttributesClassName)
}

function checkClass(faults: FieldErrors, at: string, name: string | undefined) {
  if (name) faults.invalidAll(at, name, isDnsSubdomainName(name, false))
}

function checkDataSources(faults: FieldErrors, at: string, spec: PersistentVolumeClaimSpec) {
  const { dataSource, dataSourceRef } = spec
  if (dataSource) checkReference(faults, `${at}.dataSource`, dataSource)
  if (dataSourceRef) {
    checkReference(faults, `${at}.dataSourceRef`, dataSourceRef)
    const { namespace } = dataSourceRef
    if (namespace) {
      const details = isDnsLabelName(namespace, false)
      faults.invalidAll(`${at}.dataSourceRef.namespace`, namespace, details)
    }
  }
  if (!dataSource || !dataSourceRef) return
  const shown = {}
  if (dataSourceRef.namespace) {
    faults.invalid(at, shown, 'may not be specified when dataSourceRef.namespace is specified')
  } else if (!Bun.deepEquals({ ...dataSource }, withoutNamespace(dataSourceRef))) {
    faults.invalid(at, shown, 'must match dataSourceRef')
  }
}

type Reference = { apiGroup?: string; kind: string; name: string }

function checkReference(faults: FieldErrors, at: string, { apiGroup, kind, name }: Reference) {
  if (!name) faults.required(`${at}.name`)
  if (!kind) faults.required(`${at}.kind`)
  if (!apiGroup && kind !== 'PersistentVolumeClaim') {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
    faults.invalid(at, kind ?? '', detail)
  }
  if (apiGroup) faults.invalidAll(`${at}.apiGroup`, apiGroup, dnsSubdomainFaults(apiGroup))
}

function withoutNamespace({
  namespace: _namespace,
  ...reference
}: Reference & { namespace?: string }) {
  return reference
}
