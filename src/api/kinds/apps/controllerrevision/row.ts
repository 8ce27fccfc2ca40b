import { controllerOf } from '../../../object.ts'
import { defineResource } from '../../../resource.ts'
import type { ControllerRevision } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkImmutable, checkNonNegative } from '../../../validation/values.ts'

export const controllerRevisions = defineResource<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  type: 'io.k8s.api.apps.v1.ControllerRevision',
  metadataJudges: ['change', 'whole'],
  // `kubectl rollout undo` does.
  isComparedAsText: true,
  rules: [ruleOf(checkRevision)],
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

function checkRevision(
  faults: FieldErrors,
  { data, revision }: ControllerRevision,
  old: ControllerRevision | undefined,
) {
  checkNonNegative(faults, 'revision', revision)
  if (old) return checkImmutable(faults, 'data', data, old.data)
  if (data === undefined || data === null) faults.required('data', 'data is mandatory')
  else if (typeof data !== 'object' || Array.isArray(data)) {
    faults.required('data', 'data must be a valid JSON object')
  }
}
