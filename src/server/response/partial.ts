// Objects reduced to their metadata, and the refusals when the wrong shape was asked for.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import { ApiError } from '../../api/status.ts'

export function partialOf(row: AnyRow, object: AnyObject, version: 'v1' | 'v1beta1') {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: metadataAlone(row, object),
  }
}

function metadataAlone({ fieldAnnotations }: AnyRow, { metadata }: AnyObject) {
  const { annotations, ...rest } = metadata
  if (fieldAnnotations.length === 0 || annotations === undefined) return metadata
  const kept = Object.entries(annotations).filter(([key]) => !fieldAnnotations.includes(key))
  return kept.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(kept) }
}

export function notAList(row: AnyRow): ApiError {
  return notAcceptable(
    'you requested PartialObjectMetadataList, but the requested object is not a list' +
      ` (*${goPackage(row)}.${row.kind})`,
  )
}

export function isAList(row: AnyRow): ApiError {
  return notAcceptable(
    'you requested PartialObjectMetadata, but the requested object is a list' +
      ` (*${goPackage(row)}.${row.listKind})`,
  )
}

function notAcceptable(message: string): ApiError {
  return new ApiError(406, 'NotAcceptable', message)
}

/** Upstream's words carry the name of the Go type, whose package is the first part of the group. */
function goPackage(row: AnyRow): string {
  return row.group === '' || row.kind === 'Event' ? 'core' : row.group.split('.')[0]!
}
