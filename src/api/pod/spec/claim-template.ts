// Claims that are made for a pod and go with it.

import { dnsSubdomainFaults, isDnsLabelName, isDnsSubdomainName } from '../../names.ts'
import { compareQuantity, parseQuantity, ZERO } from '../../quantity.ts'
import type {
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimTemplate,
} from '../../schema/generated/types.ts'
import type { Faults } from '../../validation/faults.ts'
import { checkAnnotations, checkLabelSelector, checkLabels } from '../../validation/labels.ts'
import { checkSupported } from '../../validation/values.ts'

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
// In the order of Go's ObjectMeta.
const NOT_IN_TEMPLATES = [
  ...(['name', 'generateName', 'namespace', 'selfLink', 'uid', 'resourceVersion'] as const),
  ...(['generation', 'creationTimestamp', 'deletionTimestamp'] as const),
  ...(['deletionGracePeriodSeconds', 'ownerReferences', 'finalizers', 'managedFields'] as const),
]

export function checkClaimTemplate(
  faults: Faults,
  at: string,
  { metadata = {}, spec }: PersistentVolumeClaimTemplate,
) {
  checkAnnotations(faults, `${at}.metadata.annotations`, metadata.annotations)
  checkLabels(faults, `${at}.metadata.labels`, metadata.labels)
  for (const field of NOT_IN_TEMPLATES) {
    if (!metadata[field]) continue
    const path = field === 'uid' ? 'uID' : field
    faults.forbidden(`${at}.metadata.${path}`, 'cannot be set')
  }
  checkClaimSpec(faults, `${at}.spec`, spec ?? {})
}

/** The spec of a claim, wherever it stands. */
export function checkClaimSpec(faults: Faults, at: string, spec: PersistentVolumeClaimSpec) {
  const modes = spec.accessModes ?? []
  if (modes.length === 0) {
    faults.required(`${at}.accessModes`, 'at least 1 access mode is required')
  }
  checkLabelSelector(faults, `${at}.selector`, spec.selector)
  for (const mode of modes) checkSupported(faults, `${at}.accessModes`, mode, ACCESS_MODES)
  const others = modes.filter((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode))
  if (modes.includes('ReadWriteOncePod') && others.length > 0) {
    const detail = 'may not use ReadWriteOncePod with other access modes'
    faults.forbidden(`${at}.accessModes`, detail)
  }
  const storage = spec.resources?.requests?.storage
  if (storage === undefined) faults.required(`${at}.resources[storage]`)
  else if (compareQuantity(parseQuantity(storage), ZERO) <= 0) {
    faults.invalid(`${at}.resources[storage]`, storage, 'must be greater than zero')
  }
  for (const field of ['storageClassName', 'volumeAttributesClassName'] as const) {
    const value = spec[field]
    if (value) faults.invalidAll(`${at}.${field}`, value, isDnsSubdomainName(value, false))
  }
  if (spec.volumeMode !== undefined) {
    checkSupported(faults, `${at}.volumeMode`, spec.volumeMode, ['Block', 'Filesystem'])
  }
  checkDataSources(faults, at, spec)
}

function checkDataSources(faults: Faults, at: string, spec: PersistentVolumeClaimSpec) {
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

function checkReference(faults: Faults, at: string, { apiGroup, kind, name }: Reference) {
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
