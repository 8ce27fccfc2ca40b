// Turns typed calls into requests, and answers back into objects or ApiError.

import { type KubeObject, keyOf } from '../api/object.ts'
import { type AnyRow, groupVersionOf, pathOf, type ResourceRow } from '../api/resource.ts'
import { ApiError, badRequest, type Status } from '../api/status.ts'
import type {
  ApiRequest,
  ApiResponse,
  Client,
  DeleteOptions,
  ListQuery,
  ObjectList,
  PatchType,
  Transport,
  WatchEvent,
} from './client.ts'

const JSON_TYPE = 'application/json'
const PATCH_CONTENT_TYPE: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML, and this is the name that every server knows.
  apply: 'application/apply-patch+yaml',
}

/** The one Client of this project; all that differs between callers is the transport. */
export function createClient(transport: Transport): Client {
  const send = async (request: ApiRequest, signal: AbortSignal) =>
    JSON.parse(successOf(await transport.request({ accept: JSON_TYPE, ...request }, signal)).body)
  const write = (method: 'POST' | 'PUT', path: string, body: unknown, signal: AbortSignal) =>
    send({ method, path, contentType: JSON_TYPE, body: JSON.stringify(body) }, signal)

  return {
    get: (row, where, signal) => send({ method: 'GET', path: pathOf(row, where) }, signal),

    list: (row, query, signal) => {
      const path = collectionPath(row, query, {})
      return send({ method: 'GET', path, accept: acceptOf(query, 'List') }, signal)
    },

    watch: (row, query, signal) => watchEvents(transport, row, query, signal),

    create: (row, object, signal) => {
      const path = pathOf(row, { namespace: object.metadata.namespace })
      return write('POST', path, typed(row, object), signal)
    },

    update: (row, object, signal) =>
      write('PUT', objectPath(row, object), typed(row, object), signal),

    updateStatus: (row, object, signal) =>
      write('PUT', objectPath(row, object, 'status'), typed(row, object), signal),

    updatePart: (row, object, subresource, signal) =>
      write('PUT', objectPath(row, object, subresource), typed(row, object), signal),

    patch: (row, where, { type, body, fieldManager, force }, signal) => {
      const path = pathOf(row, where) + queryOf({ fieldManager, force })
      const contentType = PATCH_CONTENT_TYPE[type]
      return send({ method: 'PATCH', path, contentType, body: JSON.stringify(body) }, signal)
    },

    delete: async (row, where, options, signal) => {
      const body = JSON.stringify(deleteBody(options))
      await send(
        { method: 'DELETE', path: pathOf(row, where), contentType: JSON_TYPE, body },
        signal,
      )
    },

    deleteCollection: async (row, query, options, signal) => {
      const path = collectionPath(row, query, {})
      const body = JSON.stringify(deleteBody(options))
      await send({ method: 'DELETE', path, contentType: JSON_TYPE, body }, signal)
    },

    post: (row, where, body, signal) => write('POST', pathOf(row, where), body, signal),
  }
}

/** All pages of a list, as one. Use it for what is read once; for the rest there are informers. */
export async function listAll<O extends KubeObject>(
  client: Client,
  row: ResourceRow<O>,
  query: ListQuery,
  signal: AbortSignal,
): Promise<ObjectList<O>> {
  const items: O[] = []
  let page = await client.list(row, { ...query, limit: PAGE_ITEMS }, signal)
  items.push(...page.items)
  while (page.metadata.continue) {
    const next = { ...query, limit: PAGE_ITEMS, continue: page.metadata.continue }
    page = await client.list(row, next, signal)
    items.push(...page.items)
  }
  return { metadata: page.metadata, items }
}

/** As kubectl does: big enough to be few, small enough that no page is a burden. */
const PAGE_ITEMS = 500

async function* watchEvents<O extends KubeObject>(
  transport: Transport,
  row: ResourceRow<O>,
  query: ListQuery & { sendInitialEvents?: boolean; timeoutSeconds?: number },
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<O>> {
  const path = collectionPath(row, query, {
    watch: true,
    allowWatchBookmarks: true,
    timeoutSeconds: query.timeoutSeconds,
    sendInitialEvents: query.sendInitialEvents,
    resourceVersionMatch: query.sendInitialEvents ? 'NotOlderThan' : undefined,
  })
  for await (const text of transport.watch({ path, accept: acceptOf(query, '') }, signal)) {
    yield eventOf<O>(JSON.parse(text))
  }
}

function eventOf<O>(event: { type: string; object: unknown }): WatchEvent<O> {
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as O }
    case 'BOOKMARK': {
      const { resourceVersion = '', annotations } = (event.object as KubeObject).metadata
      const initialEventsEnd = annotations?.['k8s.io/initial-events-end'] === 'true'
      return { type: 'BOOKMARK', resourceVersion, initialEventsEnd }
    }
    default:
      throw ApiError.fromStatus(event.object as Status)
  }
}

function acceptOf(query: ListQuery, suffix: 'List' | ''): string {
  if (!query.metadataOnly) return JSON_TYPE
  return `${JSON_TYPE};as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1,${JSON_TYPE}`
}

function collectionPath(row: AnyRow, query: ListQuery, more: Record<string, Parameter>): string {
  const { labelSelector, fieldSelector, resourceVersion, limit } = query
  const selected = {
    labelSelector,
    fieldSelector,
    resourceVersion,
    limit,
    continue: query.continue,
  }
  return pathOf(row, { namespace: query.namespace }) + queryOf({ ...selected, ...more })
}

function objectPath(row: AnyRow, object: KubeObject, subresource?: string): string {
  const { namespace, name } = object.metadata
  if (!name) throw badRequest(`${row.kind}: metadata.name is missing`)
  return pathOf(row, { namespace, name, ...(subresource ? { subresource } : {}) })
}

type Parameter = string | number | boolean | undefined

function queryOf(parameters: Record<string, Parameter>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined)
  if (given.length === 0) return ''
  const pairs = given.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
  return `?${pairs.join('&')}`
}

/** Items of a list come without kind and version; a body must say them. */
function typed<O extends KubeObject>(row: ResourceRow<O>, object: O): O {
  return { ...object, apiVersion: groupVersionOf(row), kind: row.kind }
}

function deleteBody(options: DeleteOptions) {
  const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options
  const hasPreconditions = uid !== undefined || resourceVersion !== undefined
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds,
    propagationPolicy,
    preconditions: hasPreconditions ? { uid, resourceVersion } : undefined,
  }
}

function successOf(response: ApiResponse): ApiResponse {
  if (response.code >= 200 && response.code < 300) return response
  throw errorOf(response.code, response.body)
}

/** The error that an answer stands for; a body that is no Status becomes the message. */
export function errorOf(code: number, body: string): ApiError {
  try {
    const status = JSON.parse(body)
    if (status?.kind === 'Status') return ApiError.fromStatus({ code, ...status })
  } catch {
    // Not JSON: a proxy or another server answered, and its words are all we have.
  }
  return new ApiError(code, '', `the server answered ${code}: ${body.slice(0, 500)}`)
}

/** What to call an object in messages: `pods "ns/name"`. */
export function nameOf(row: AnyRow, object: KubeObject): string {
  return `${row.plural} "${keyOf(object)}"`
}
