// Changes of an object that the server makes itself on behalf of a request: no admission, no
// validation, no owners; read, change, write if it still stands as read.

import type { AnyObject, KubeObject } from '../../api/object.ts'
import { equalJson } from '../../api/patch/value.ts'
import type { ResourceRow } from '../../api/resource.ts'
import { conflict, notFound } from '../../api/status.ts'
import type { ResourceRequest } from '../server.ts'
import { decodeStored, encodeStored, storeKey } from './stored.ts'

const ATTEMPTS_MAX = 100

/** `change` gets a copy of its own. metadata.generation stays: nobody asked for another state. */
export async function replaceObject<O extends KubeObject>(
  { server, info }: ResourceRequest,
  row: ResourceRow<O>,
  name: string,
  dryRun: boolean,
  change: (object: AnyObject) => AnyObject,
): Promise<AnyObject> {
  const key = storeKey(row, info.namespace, name)
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = server.store.get(key)
    if (entry === undefined) throw notFound(row, name)
    const old = decodeStored(row, entry)
    const object = change(structuredClone(old))
    if (equalJson(old, object)) return old
    if (dryRun) return object
    const result = await server.store.update(key, encodeStored(row, object), entry.revision)
    if (result.ok) return decodeStored(row, result.entry)
  }
  throw conflict(row, name)
}
