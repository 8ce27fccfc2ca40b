import type { ControllerRevision } from '../generated/types.ts'
import { controllerOf } from '../object.ts'
import { defineResource } from '../resource.ts'
import { ageColumn } from './cells.ts'

export const controllerRevisions = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  type: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [
    {
      name: 'Controller',
      type: 'string',
      priority: 0,
      description: 'The object whose history it is.',
      cell: ownerCell,
    },
    {
      name: 'Revision',
      type: 'string',
      priority: 0,
      description: 'Higher is newer.',
      cell: (revision) => revision.revision ?? 0,
    },
    ageColumn,
  ],
})

function ownerCell(revision: ControllerRevision): string {
  const owner = controllerOf(revision)
  if (owner === undefined) return '<none>'
  const [group, version] = owner.apiVersion.split('/')
  const kind = version === undefined ? owner.kind : `${owner.kind}.${group}`
  return `${kind.toLowerCase()}/${owner.name}`
}
