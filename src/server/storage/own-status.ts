// Statuses that the server writes by itself, in the course of somebody else's request.

import type { KubeObject } from '../../api/object.ts'
import { fieldsNamed } from '../../api/patch/apply/fields.ts'
import { updateManagedFields } from '../../api/patch/apply/update.ts'
import { groupVersionOf, type ResourceRow } from '../../api/resource.ts'
import type { Entry, Store, WriteResult } from '../../store/store.ts'
import { asAny } from './reader.ts'
import { decodeStored, encodeStored } from './stored.ts'

/** Who such fields belong to, in upstream's words. */
const MANAGER = 'kube-apiserver'

/** Fails when the object no longer stands as in `entry`. */
export function writeOwnStatus<O extends KubeObject>(
  store: Store,
  row: ResourceRow<O>,
  { entry, object, nowMs }: { entry: Entry; object: O; nowMs: number },
): Promise<WriteResult> {
  const updated = asAny(object)
  const managedFields = updateManagedFields({
    manager: MANAGER,
    apiVersion: groupVersionOf(row),
    subresource: 'status',
    nowMs,
    resetFields: fieldsNamed('spec'),
    live: decodeStored(row, entry),
    updated,
    objectType: row.schema(),
  })
  const metadata = { ...updated.metadata, ...(managedFields && { managedFields }) }
  const text = encodeStored(row, { ...updated, metadata })
  return store.update(entry.key, text, entry.revision)
}
