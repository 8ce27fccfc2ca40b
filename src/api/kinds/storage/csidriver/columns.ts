// What `kubectl get csidrivers` shows.

import type { Column } from '../../../resource.ts'
import type { CSIDriver } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'

export const driverColumns: readonly Column<CSIDriver>[] = [
  yesNo('AttachRequired', 'Whether volumes are attached to a node before they are mounted.', {
    field: 'attachRequired',
    unset: true,
  }),
  yesNo('PodInfoOnMount', 'Whether the driver is told for which pod it mounts.', {
    field: 'podInfoOnMount',
  }),
  yesNo('StorageCapacity', 'Whether the driver says how much room there is.', {
    field: 'storageCapacity',
  }),
  {
    name: 'TokenRequests',
    type: 'string',
    priority: 0,
    description: 'Audiences of the tokens that the driver gets.',
    cell: ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>',
  },
  yesNo('RequiresRepublish', 'Whether mounting is repeated from time to time.', {
    field: 'requiresRepublish',
  }),
  {
    name: 'Modes',
    type: 'string',
    priority: 0,
    description: 'How long its volumes live.',
    cell: ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
  },
  ageColumn,
]

type Flag = 'attachRequired' | 'podInfoOnMount' | 'storageCapacity' | 'requiresRepublish'

function yesNo(
  name: string,
  description: string,
  { field, unset = false }: { field: Flag; unset?: boolean },
): Column<CSIDriver> {
  const cell = ({ spec }: CSIDriver) => spec[field] ?? unset
  return { name, type: 'boolean', priority: 0, description, cell }
}
