// The one loop of optimistic writes: read, change, write if it still stands as read, else again.

import type { AnyObject, KubeObject } from '../../api/object.ts'
import { equalJson } from '../../api/patch/value.ts'
import type { AnyRow, ResourceRow } from '../../api/resource.ts'
import { type ApiError, conflict, notFound } from '../../api/status.ts'
import type { Entry } from '../../store/store.ts'
import type { ResourceRequest } from '../server.ts'
import { decodeStored, encodeStored, storeKey } from '../storage/stored.ts'

/** A write that loses more races than this has no chance. */
const ATTEMPTS_MAX = 100

/**
 * Calls `tryWrite` with what stands under `name` until it has an answer; undefined says that the
 * race was lost. Throws 409 after too many of those.
 */
export async function guaranteedUpdate<T extends object>(
  { server, info }: ResourceRequest,
  row: AnyRow,
  name: string,
  tryWrite: (standing: Entry | undefined) => Promise<T | undefined>,
): Promise<T> {
  const key = storeKey(row, info.namespace, name)
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const written = await tryWrite(server.store.get(key))
    if (written !== undefined) return written
  }
  throw conflict(row, name)
}

/** What upstream's storage says to a precondition that does not hold. */
export function preconditionFailed(
  { info }: ResourceRequest,
  row: AnyRow,
  name: string,
  [what, asked, stands]: readonly [what: string, asked: string, stands: string | undefined],
): ApiError {
  const why = `Precondition failed: ${what} in precondition: ${asked}, ${what} in object meta: ${stands}`
  const key = `/registry/${storeKey(row, info.namespace, name)}`
  const storage = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0`
  return conflict(row, name, `${storage}, AdditionalErrorMsg: ${why}`)
}

/**
 * What an admitted write makes of another object than the one it sent: a binding of its pod. Past
 * strategies and field managers; metadata.generation stays: nobody asked for another state.
 * `change` gets a copy of its own.
 */
export function changeStored<O extends KubeObject>(
  request: ResourceRequest,
  row: ResourceRow<O>,
  name: string,
  { dryRun, change }: { dryRun: boolean; change: (object: AnyObject) => AnyObject },
): Promise<AnyObject> {
  return guaranteedUpdate<AnyObject>(request, row, name, async (entry) => {
    if (entry === undefined) throw notFound(row, name)
    const old = decodeStored(row, entry)
    const object = change(structuredClone(old))
    if (equalJson(old, object)) return old
    if (dryRun) return object
    const text = encodeStored(row, object)
    const result = await request.server.store.update(entry.key, text, entry.revision)
    return result.ok ? decodeStored(row, result.entry) : undefined
  })
}
