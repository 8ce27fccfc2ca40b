// What `kubectl get persistentvolumes` shows.

import { own } from '../../../../lib/own.ts'
import type { Column } from '../../../resource.ts'
import type { PersistentVolume } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { className } from '../../../volume/class.ts'
import { accessModesCell } from '../../../volume/modes.ts'

export const volumeColumns: readonly Column<PersistentVolume>[] = [
  text('Capacity', 0, 'How large it is.', ({ spec }) => own(spec.capacity, 'storage') ?? '0'),
  text('Access Modes', 0, 'How it may be mounted.', ({ spec }) =>
    accessModesCell(spec.accessModes),
  ),
  text('Reclaim Policy', 0, 'What becomes of it after its claim.', ({ spec }) => {
    return spec.persistentVolumeReclaimPolicy ?? ''
  }),
  text('Status', 0, 'Whether it has a claim.', ({ metadata, status }) =>
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
  ),
  text('Claim', 0, 'The claim that is bound to it.', ({ spec: { claimRef } }) =>
    claimRef ? `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}` : '',
  ),
  text('StorageClass', 0, 'Its class.', className),
  text('VolumeAttributesClass', 0, 'Its class of attributes.', ({ spec }) => {
    return spec.volumeAttributesClassName ?? '<unset>'
  }),
  text('Reason', 0, 'Why it is in its state.', ({ status }) => status?.reason ?? ''),
  ageColumn,
  text('VolumeMode', 1, 'File system or block device.', ({ spec }) => spec.volumeMode ?? '<unset>'),
]

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (volume: PersistentVolume) => string,
): Column<PersistentVolume> {
  return { name, type: 'string', priority, description, cell }
}
