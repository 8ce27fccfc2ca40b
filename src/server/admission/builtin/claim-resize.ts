// A claim grows only when it is bound and its class lets volumes grow.
// (upstream plugin PersistentVolumeClaimResize)

import { compareQuantity, parseQuantity } from '../../../api/quantity.ts'
import type { PersistentVolumeClaim, StorageClass } from '../../../api/schema/generated/types.ts'
import { className } from '../../../api/volume/class.ts'
import { own } from '../../../lib/own.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, refused } from '../chain.ts'

const NO_RESIZE =
  'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc' +
  ' must support resize'

export function claimResize(classes: KindCache<StorageClass>): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    handles: ['UPDATE'],
    validate(attributes) {
      const { request, subresource } = attributes
      const { group, plural } = request.row
      if (group !== '' || plural !== 'persistentvolumeclaims' || subresource !== '') return
      const claim = attributes.object as unknown as PersistentVolumeClaim
      const old = attributes.old as unknown as PersistentVolumeClaim
      if (compareQuantity(sizeOf(claim), sizeOf(old)) <= 0) return
      if (old.status?.phase !== 'Bound') {
        throw refused(attributes, 'Only bound persistent volume claims can be expanded')
      }
      const name = className(claim)
      const isKept = name !== '' && name === className(old)
      if (isKept && classes.get({ name })?.allowVolumeExpansion) return
      throw refused(attributes, NO_RESIZE)
    },
  }
}

function sizeOf({ spec }: PersistentVolumeClaim) {
  return parseQuantity(own(spec.resources?.requests, 'storage') ?? '0')
}
