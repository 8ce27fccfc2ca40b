// Columns that the kinds which keep pods share.

import type { KubeObject } from '../object.ts'
import type { Column } from '../resource.ts'
import type { Container } from '../schema/generated/types.ts'
import { ageColumn, containerNamesCell, imagesCell } from '../table/cells.ts'

export function textColumn<O>(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (object: O) => string | number,
): Column<O> {
  return { name, type: 'string', priority, description, cell }
}

type Counted = KubeObject & {
  spec: { replicas?: number }
  status?: { replicas?: number; readyReplicas?: number }
}

/** Desired, Current, Ready, Age: of ReplicaSets and ReplicationControllers. */
export const replicaColumns: readonly Column<Counted>[] = [
  countColumn<Counted>('Desired', 'Pods that are asked for.', ({ spec }) => spec.replicas),
  countColumn<Counted>('Current', 'Pods that exist.', ({ status }) => status?.replicas),
  countColumn<Counted>('Ready', 'Pods that are ready.', ({ status }) => status?.readyReplicas),
  ageColumn,
]

/** Containers, Images and, where there is one to tell of, Selector: for -o wide. */
export function templateColumns<O>(
  containersOf: (object: O) => readonly Container[] | undefined,
  selectorOf?: (object: O) => string,
): readonly Column<O>[] {
  return [
    textColumn('Containers', 1, 'Names of the containers.', (object) =>
      containerNamesCell(containersOf(object)),
    ),
    textColumn('Images', 1, 'Images of the containers.', (object) =>
      imagesCell(containersOf(object)),
    ),
    ...(selectorOf ? [textColumn('Selector', 1, 'Which pods belong to it.', selectorOf)] : []),
  ]
}

export function countColumn<O>(
  name: string,
  description: string,
  count: (object: O) => number | undefined,
): Column<O> {
  return { name, type: 'integer', priority: 0, description, cell: (object) => count(object) ?? 0 }
}
