// What a claim's volume is filled with is said in two fields, an old one and a general one: each
// follows from the other (pkg/api/persistentvolumeclaim).

import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  TypedLocalObjectReference,
} from '../../../schema/generated/types.ts'

export function fillDataSources(claim: PersistentVolumeClaim, old: unknown) {
  const { spec } = claim
  const before = (old as PersistentVolumeClaim | undefined)?.spec
  // Sources in other namespaces are off by default.
  if (spec.dataSourceRef?.namespace && before?.dataSourceRef === undefined) {
    delete spec.dataSourceRef
  }
  const hadSource = before?.dataSource !== undefined || before?.dataSourceRef !== undefined
  const isDropped = !hadSource && spec.dataSourceRef === undefined && !isKnown(spec.dataSource)
  if (isDropped) delete spec.dataSource
  copySource(spec)
}

/** The old field always ignored what it did not know. */
function isKnown(source: TypedLocalObjectReference | undefined): boolean {
  const { apiGroup, kind } = source ?? {}
  if (kind === 'PersistentVolumeClaim') return !apiGroup
  return kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io'
}

function copySource(spec: PersistentVolumeClaimSpec) {
  const { dataSource, dataSourceRef } = spec
  if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource }
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _none, ...source } = dataSourceRef
    spec.dataSource = source
  }
}
