import type { PriorityClass } from '../generated/types.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const priorityClasses = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  type: 'io.k8s.api.scheduling.v1.PriorityClass',
  scope: 'Cluster',
  shortNames: ['pc'],
  // Nothing that could change counts, so it stays at one.
  generationOf: () => true,
  defaults: (priorityClass) => {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  columns: [
    {
      name: 'Value',
      type: 'integer',
      priority: 0,
      description: 'The priority of pods of this class; higher is more important.',
      cell: (priorityClass) => priorityClass.value ?? 0,
    },
    {
      name: 'Global-Default',
      type: 'boolean',
      priority: 0,
      description: 'Whether pods without a class get this one.',
      cell: (priorityClass) => priorityClass.globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      priority: 0,
      description: 'Whether such pods push others out.',
      cell: (priorityClass) => priorityClass.preemptionPolicy ?? '',
    },
  ],
})
