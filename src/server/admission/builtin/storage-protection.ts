// Claims, volumes and classes of attributes stay while they are used: each begins with a finalizer
// that a controller takes away. (upstream plugin StorageObjectInUseProtection)

import { qualifiedResource } from '../../../api/resource.ts'
import type { AdmissionPlugin } from '../chain.ts'

const FINALIZERS = new Map([
  ['persistentvolumes', 'kubernetes.io/pv-protection'],
  ['persistentvolumeclaims', 'kubernetes.io/pvc-protection'],
  ['volumeattributesclasses.storage.k8s.io', 'kubernetes.io/vac-protection'],
])

export const storageProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: ['CREATE'],
  admit({ request: { row }, subresource, object }) {
    const finalizer = FINALIZERS.get(qualifiedResource(row))
    if (finalizer === undefined || subresource !== '') return
    const { metadata } = object!
    const before = metadata.finalizers ?? []
    if (!before.includes(finalizer)) metadata.finalizers = [...before, finalizer]
  },
}
