// Tables, as `kubectl get` asks for them.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import { badRequest } from '../../api/status.ts'
import type { Form, ListMeta } from './form.ts'
import { partialOf } from './partial.ts'

export type Table = {
  kind: 'Table'
  apiVersion: string
  metadata: ListMeta
  columnDefinitions: unknown
  rows: unknown[]
}

const NAME_COLUMN = {
  name: 'Name',
  type: 'string',
  format: 'name',
  priority: 0,
  description: 'The name, unique within its kind and namespace.',
}

/** `meta` is that of the list; for one object it is made from the object. */
export function tableOf(
  row: AnyRow,
  objects: readonly AnyObject[],
  meta: ListMeta | undefined,
  form: Form,
): Table {
  const include = form.query.get('includeObject') ?? 'Metadata'
  if (!['', 'Metadata', 'Object', 'None'].includes(include)) {
    const must = "must be 'Metadata', 'Object', 'None', or empty"
    const fault = `includeObject: Invalid value: ${JSON.stringify(include)}: ${must}`
    throw badRequest(`Unable to convert to Table as requested: ${fault}`)
  }
  const version = form.output.as?.version ?? 'v1'
  const columns = row.columns.map(({ name, type, format = '', description = '', priority }) => ({
    name,
    type,
    format,
    description,
    priority,
  }))
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: meta ?? { resourceVersion: objects[0]?.metadata.resourceVersion ?? '' },
    columnDefinitions: row.startsWithName ? [NAME_COLUMN, ...columns] : columns,
    rows: inTableOrder(row, objects).map((object) =>
      tableRow(row, object, { include, version, nowMs: form.nowMs }),
    ),
  }
}

function inTableOrder({ tableOrder }: AnyRow, objects: readonly AnyObject[]) {
  return tableOrder === undefined ? objects : objects.toSorted(tableOrder)
}

type RowForm = { include: string; version: 'v1' | 'v1beta1'; nowMs: number }

function tableRow(row: AnyRow, object: AnyObject, { include, version, nowMs }: RowForm) {
  const cells = row.columns.map((column) => column.cell(object, nowMs))
  const conditions = row.rowConditions(object)
  const shownObject = () => {
    if (include === 'None') return null
    return include === 'Object' ? object : partialOf(row, object, version)
  }
  return {
    cells: row.startsWithName ? [object.metadata.name ?? '', ...cells] : cells,
    ...(conditions.length === 0 ? {} : { conditions }),
    object: shownObject(),
  }
}
