// Writes of one pass. Each is noted in the barrier, and none is sent that would change nothing.

import type { KubeObject } from '../api/object.ts'
import type { ResourceRow } from '../api/resource.ts'
import { isConflict, isNotFound } from '../api/status.ts'
import type { Barrier } from './barrier.ts'
import type { Client, DeleteOptions, PatchType } from './client.ts'

type WithStatus = KubeObject & { status?: unknown }

export interface Writer {
  create<O extends KubeObject>(row: ResourceRow<O>, object: O, signal: AbortSignal): Promise<O>
  /**
   * Changes a copy of `object` with `edit` and stores it, unless they are equal. Throws a conflict
   * when the stored object is newer than `object`: the next pass will know better.
   */
  change<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    edit: (draft: O) => void,
    signal: AbortSignal,
  ): Promise<O>
  /** Stores `object` as it is; for what was found to differ before. */
  replace<O extends KubeObject>(row: ResourceRow<O>, object: O, signal: AbortSignal): Promise<O>
  /** The same for another part of the object: certificatesigningrequests/approval. */
  replacePart<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    subresource: string,
    signal: AbortSignal,
  ): Promise<O>
  /** Stores `status`, unless it is what the object has. */
  putStatus<O extends WithStatus>(
    row: ResourceRow<O>,
    object: O,
    status: NonNullable<O['status']>,
    signal: AbortSignal,
  ): Promise<O>
  patch<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    patch: { type: PatchType; body: unknown; subresource?: string },
    signal: AbortSignal,
  ): Promise<O>
  /** Deletes this very object, not a namesake. It is no error when it is gone already. */
  remove<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    options: Pick<DeleteOptions, 'gracePeriodSeconds' | 'propagationPolicy'>,
    signal: AbortSignal,
  ): Promise<void>
}

/** The writer for the pass of `key`. */
export function createWriter(client: Client, barrier: Barrier, key: string): Writer {
  const noted = async <O extends KubeObject>(row: ResourceRow<O>, answer: Promise<O>) => {
    const object = await answer
    barrier.wrote(key, row, object)
    return object
  }
  return {
    create: (row, object, signal) => noted(row, client.create(row, object, signal)),

    async change(row, object, edit, signal) {
      const draft = structuredClone(object)
      edit(draft)
      if (Bun.deepEquals(draft, object)) return object
      return noted(row, client.update(row, draft, signal))
    },

    replace: (row, object, signal) => noted(row, client.update(row, object, signal)),

    replacePart: (row, object, subresource, signal) =>
      noted(row, client.updatePart(row, object, subresource, signal)),

    async putStatus(row, object, status, signal) {
      if (Bun.deepEquals(status, object.status)) return object
      return noted(row, client.updateStatus(row, { ...object, status }, signal))
    },

    patch(row, object, { type, body, subresource }, signal) {
      const { namespace, name = '' } = object.metadata
      const where = { namespace, name, ...(subresource ? { subresource } : {}) }
      return noted(row, client.patch(row, where, { type, body }, signal))
    },

    async remove(row, object, options, signal) {
      const { namespace, name = '', uid } = object.metadata
      const exact = { ...options, ...(uid === undefined ? {} : { uid }) }
      try {
        await client.delete(row, { namespace, name }, exact, signal)
      } catch (error) {
        // A conflict says that a namesake with another uid took its place.
        if (!isNotFound(error) && !isConflict(error)) throw error
      }
      barrier.removed(key, row, object)
    },
  }
}
