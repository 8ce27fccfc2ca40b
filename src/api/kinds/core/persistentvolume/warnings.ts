import { own } from '../../../../lib/own.ts'
import { termWarnings } from '../../../node/labels.ts'
import type { PersistentVolume } from '../../../schema/generated/types.ts'
import { CLASS_ANNOTATION, OLD_CLASS } from '../../../volume/class.ts'
import { MOUNT_OPTIONS } from './validation.ts'

const OLD_ANNOTATIONS = [
  [CLASS_ANNOTATION, OLD_CLASS],
  [MOUNT_OPTIONS, 'deprecated since v1.31; use "mountOptions" attribute instead'],
] as const

const OLD_SOURCES = [
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
] as const

const RECYCLE =
  'The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic' +
  ' provisioning.'

export function volumeWarnings({ metadata, spec }: PersistentVolume): string[] {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? []
  return [
    ...OLD_ANNOTATIONS.filter(([key]) => own(metadata.annotations, key) !== undefined).map(
      ([key, why]) => `metadata.annotations[${key}]: ${why}`,
    ),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [`spec.persistentVolumeReclaimPolicy: ${RECYCLE}`]
      : []),
    ...terms.flatMap((term, index) =>
      termWarnings(`spec.nodeAffinity.required.nodeSelectorTerms[${index}]`, term, false),
    ),
    ...OLD_SOURCES.filter(([source]) => spec[source] !== undefined).map(
      ([, path, why]) => `spec.${path}: ${why}`,
    ),
  ]
}
