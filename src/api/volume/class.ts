// Storage classes by name: of claims and volumes, which may say it in an annotation of old.

import { own } from '../../lib/own.ts'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../schema/generated/types.ts'

/** Where classes were named before there was a field. */
export const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class'
export const OLD_CLASS = 'deprecated since v1.8; use "storageClassName" attribute instead'

/** The class that a claim or volume names; empty for none. */
export function className(object: PersistentVolume | PersistentVolumeClaim): string {
  const old = own(object.metadata.annotations, CLASS_ANNOTATION)
  return old ?? object.spec.storageClassName ?? ''
}

const DEFAULT = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
]

/** Whether claims that name no class get this one. */
export function isDefaultClass({ metadata }: StorageClass): boolean {
  return DEFAULT.some((key) => own(metadata.annotations, key) === 'true')
}

/** Of several defaults the newest, and of those of one second the first by name. */
export function defaultClass(classes: Iterable<StorageClass>): StorageClass | undefined {
  const createdAt = ({ metadata }: StorageClass) => metadata.creationTimestamp ?? ''
  return [...classes]
    .filter(isDefaultClass)
    .toSorted((a, b) => {
      const order = createdAt(b).localeCompare(createdAt(a))
      return order || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)
    })
    .at(0)
}
