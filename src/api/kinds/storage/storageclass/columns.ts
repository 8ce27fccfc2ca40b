// What `kubectl get storageclasses` shows.

import type { Column } from '../../../resource.ts'
import type { StorageClass } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { isDefaultClass } from '../../../volume/class.ts'

export const classColumns: readonly Column<StorageClass>[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    priority: 0,
    description: 'Its name, and whether it is the default.',
    cell: (storageClass) =>
      `${storageClass.metadata.name ?? ''}${isDefaultClass(storageClass) ? ' (default)' : ''}`,
  },
  text('Provisioner', 'Who makes its volumes.', ({ provisioner }) => provisioner ?? ''),
  text('ReclaimPolicy', 'What becomes of volumes after their claims.', ({ reclaimPolicy }) => {
    return reclaimPolicy ?? 'Delete'
  }),
  text('VolumeBindingMode', 'When volumes are made.', ({ volumeBindingMode }) => {
    return volumeBindingMode ?? 'Immediate'
  }),
  {
    name: 'AllowVolumeExpansion',
    // A truth value, which upstream calls text.
    type: 'string',
    priority: 0,
    description: 'Whether its volumes may grow.',
    cell: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
  },
  ageColumn,
]

function text(
  name: string,
  description: string,
  cell: (storageClass: StorageClass) => string,
): Column<StorageClass> {
  return { name, type: 'string', priority: 0, description, cell }
}
