// What `kubectl get persistentvolumeclaims` shows.

import { own } from '../../../../lib/own.ts'
import type { Column } from '../../../resource.ts'
import type { PersistentVolumeClaim } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { className } from '../../../volume/class.ts'
import { accessModesCell } from '../../../volume/modes.ts'

export const claimColumns: readonly Column<PersistentVolumeClaim>[] = [
  text('Status', 0, 'Whether it has a volume.', ({ metadata, status }) =>
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
  ),
  text('Volume', 0, 'The volume that is bound to it.', ({ spec }) => spec.volumeName ?? ''),
  text('Capacity', 0, 'How large that is.', ({ spec, status }) =>
    spec.volumeName ? (own(status?.capacity, 'storage') ?? '0') : '',
  ),
  text('Access Modes', 0, 'How it may be mounted.', ({ spec, status }) =>
    spec.volumeName ? accessModesCell(status?.accessModes) : '',
  ),
  text('StorageClass', 0, 'The class that it asks for.', className),
  text('VolumeAttributesClass', 0, 'The class of attributes that it asks for.', ({ spec }) => {
    return spec.volumeAttributesClassName ?? '<unset>'
  }),
  ageColumn,
  text('VolumeMode', 1, 'File system or block device.', ({ spec }) => spec.volumeMode ?? '<unset>'),
]

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (claim: PersistentVolumeClaim) => string,
): Column<PersistentVolumeClaim> {
  return { name, type: 'string', priority, description, cell }
}
