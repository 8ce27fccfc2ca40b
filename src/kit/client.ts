// The only way to cluster state: typed calls over a Transport, which is the app itself in the same
// process, or HTTPS and WebSocket across the network.

import type { KubeObject } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'

export type ApiRequest = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path and query, as in the URL. */
  path: string
  contentType?: string
  accept?: string
  body?: string
}

export type ApiResponse = { code: number; headers: Headers; body: string }

/** Carries requests; knows nothing of kinds. `identity` and user agent belong to the transport. */
export interface Transport {
  request(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse>
  /**
   * One watch: each item is the text of one event. Ends when the server ends it; throws ApiError
   * when the server refuses it, any other error when the connection breaks.
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<string>
}

export type WatchRequest = Pick<ApiRequest, 'path' | 'accept'>

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

export type ListQuery = {
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  resourceVersion?: string
  limit?: number
  continue?: string
  /** Ask for PartialObjectMetadata: objects that are nothing but their metadata. */
  metadataOnly?: boolean
}

export type ObjectList<O> = {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }
  items: O[]
}

export type WatchEvent<O> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: O }
  | { type: 'BOOKMARK'; resourceVersion: string; initialEventsEnd: boolean }

export type DeleteOptions = {
  gracePeriodSeconds?: number
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  uid?: string
  resourceVersion?: string
}

export type Where = { namespace?: string | undefined; name: string }

/** Every method throws ApiError for an answer that is not success. */
export interface Client {
  /** A sub-resource may be of another kind: a Scale. */
  get<O extends KubeObject>(
    row: ResourceRow<O>,
    where: Where & { subresource?: string },
    signal: AbortSignal,
  ): Promise<O>
  list<O extends KubeObject>(
    row: ResourceRow<O>,
    query: ListQuery,
    signal: AbortSignal,
  ): Promise<ObjectList<O>>
  /** Throws ApiError 410 when the revision is no longer kept, also in the middle of a watch. */
  watch<O extends KubeObject>(
    row: ResourceRow<O>,
    query: ListQuery & { sendInitialEvents?: boolean; timeoutSeconds?: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<O>>
  create<O extends KubeObject>(row: ResourceRow<O>, object: O, signal: AbortSignal): Promise<O>
  update<O extends KubeObject>(row: ResourceRow<O>, object: O, signal: AbortSignal): Promise<O>
  updateStatus<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    signal: AbortSignal,
  ): Promise<O>
  /** PUT of another part of the object: namespaces/finalize, .../approval. */
  updatePart<O extends KubeObject>(
    row: ResourceRow<O>,
    object: O,
    subresource: string,
    signal: AbortSignal,
  ): Promise<O>
  patch<O extends KubeObject>(
    row: ResourceRow<O>,
    where: Where & { subresource?: string },
    patch: { type: PatchType; body: unknown; fieldManager?: string; force?: boolean },
    signal: AbortSignal,
  ): Promise<O>
  delete(row: AnyRow, where: Where, options: DeleteOptions, signal: AbortSignal): Promise<void>
  /** Deletes all that a list with `query` would give. */
  deleteCollection(
    row: AnyRow,
    query: ListQuery,
    options: DeleteOptions,
    signal: AbortSignal,
  ): Promise<void>
  /** POST of an action: pods/binding, pods/eviction, serviceaccounts/token. */
  post<T>(
    row: AnyRow,
    where: Where & { subresource: string },
    body: unknown,
    signal: AbortSignal,
  ): Promise<T>
}
