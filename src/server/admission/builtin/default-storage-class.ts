// A claim that names no class gets the one that is marked as the default.
// (upstream plugin DefaultStorageClass)

import type { PersistentVolumeClaim, StorageClass } from '../../../api/schema/generated/types.ts'
import { CLASS_ANNOTATION, defaultClass } from '../../../api/volume/class.ts'
import { own } from '../../../lib/own.ts'
import type { KindCache } from '../../storage/reader.ts'
import type { AdmissionPlugin } from '../chain.ts'

export function defaultStorageClass(classes: KindCache<StorageClass>): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    handles: ['CREATE'],
    admit({ request: { row }, subresource, object }) {
      if (row.group !== '' || row.plural !== 'persistentvolumeclaims' || subresource !== '') return
      const { metadata, spec } = object as unknown as PersistentVolumeClaim
      if (own(metadata.annotations, CLASS_ANNOTATION) !== undefined) return
      if (spec.storageClassName !== undefined) return
      const chosen = defaultClass(classes.values())
      if (chosen !== undefined) spec.storageClassName = chosen.metadata.name!
    },
  }
}
