// Requests for resources: which row, which verb, which sub-resource.

import { namespaces } from '../api/kinds/core/namespace/row.ts'
import type { AnyRow } from '../api/resource.ts'
import { questionHandler, subresourceHandler } from './objects/subresources/handlers.ts'
import { create } from './objects/verbs/create.ts'
import { remove } from './objects/verbs/delete.ts'
import { removeCollection } from './objects/verbs/delete-collection.ts'
import { get } from './objects/verbs/get.ts'
import { list } from './objects/verbs/list.ts'
import { patch } from './objects/verbs/patch.ts'
import { update } from './objects/verbs/update.ts'
import { watch } from './objects/verbs/watch.ts'
import type { Admitted } from './request/admitted.ts'
import type { RequestInfo } from './request/request-info.ts'
import { methodNotAllowed, pageNotFound, unknownResource } from './response/errors.ts'
import type { Handler, ResourceRequest, Server } from './server.ts'
import type { Answer } from './transport/call.ts'

const VERBS: Record<string, Handler> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
}

/** Verbs that are about one object, which the path must name. */
const NAMED = new Set(['update', 'patch'])

export function serveResource(server: Server, admitted: Admitted): Answer | Promise<Answer> {
  const { info, warnings } = admitted
  const row = server.registry.find(info.group, info.version, info.resource)
  if (row === undefined || isMisplaced(row, info)) return nothingHere(server, info)
  // Of what its router serves, upstream passes HEAD on to proxies alone.
  if (admitted.call.method === 'HEAD' && info.subresource !== 'proxy') throw methodNotAllowed()
  const handler = info.subresource === '' ? verbHandler(row, info) : subresourceHandler(row, info)
  if (row.deprecation !== undefined) warnings.push(row.deprecation)
  return handler(requestFor(server, row, admitted))
}

function requestFor(server: Server, row: AnyRow, admitted: Admitted): ResourceRequest {
  const { call, info, user, warnings } = admitted
  return { server, row, call, info, user, warnings, auditAnnotations: new Map() }
}

/** For those who know already that the row is there. Throws 404 when it is not. */
export function resourceRequest(server: Server, admitted: Admitted): ResourceRequest {
  const { group, version, resource } = admitted.info
  const row = server.registry.find(group, version, resource)
  if (row === undefined) throw unknownResource()
  return requestFor(server, row, admitted)
}

/** Where the definition of a kind does not fit the path, upstream sees no such kind. */
function isMisplaced({ custom, scope }: AnyRow, info: RequestInfo): boolean {
  if (custom === undefined) return false
  if (scope === 'Cluster') return info.namespace !== ''
  return info.namespace === '' && info.verb !== 'list' && info.verb !== 'watch'
}

/** A group that nobody serves, or that definitions made, is no more than a wrong path. */
function nothingHere({ registry }: Server, { group }: RequestInfo): Answer {
  const isBuiltIn = registry.rows.some((row) => row.group === group && row.custom === undefined)
  if (isBuiltIn) throw unknownResource()
  return pageNotFound()
}

function verbHandler(row: AnyRow, info: RequestInfo): Handler {
  // A namespaced kind is named within its namespace, and created in one.
  const isPlaced = row.scope === 'Cluster' || info.namespace !== ''
  if (!isPlaced && info.namedByPath) throw unknownResource()
  if (!isPlaced && (info.verb === 'create' || info.verb === 'deletecollection')) {
    throw methodNotAllowed()
  }
  if (row.scope === 'Cluster' && info.namespace !== '' && row !== namespaces) {
    throw unknownResource()
  }
  const handler = (row.verbs as readonly string[]).includes(info.verb)
    ? VERBS[info.verb]
    : undefined
  const isMisnamed = NAMED.has(info.verb)
    ? info.name === ''
    : info.verb === 'create' && info.namedByPath
  if (handler === undefined || isMisnamed) {
    throw methodNotAllowed()
  }
  return questionHandler(row) ?? handler
}
