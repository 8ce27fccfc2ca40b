// A request as a question to the authorizer, and the answer when it says no.

import type { UserInfo } from '../../api/resource.ts'
import { ApiError, forbidden } from '../../api/status.ts'
import type { Query } from '../request/query.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { Access } from './authorizer.ts'

const SELECTING = new Set(['list', 'watch', 'deletecollection'])

export function accessOf(info: RequestInfo, user: UserInfo, query: Query): Access {
  const { verb, path, group, version, resource, subresource, namespace, name } = info
  if (!info.isResource) return { user, verb, isResource: false, path }
  const access = { user, verb, group, version, resource, subresource, namespace, name }
  if (!SELECTING.has(verb)) return { ...access, isResource: true }
  const fieldSelector = query.get('fieldSelector')
  const labelSelector = query.get('labelSelector')
  return {
    ...access,
    isResource: true,
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  }
}

/** 403 in upstream's words. What comes from the request must not read as HTML. */
export function forbiddenAccess(access: Access, reason: string): ApiError {
  const why = `${escaped(deniedText(access))}${reason === '' ? '' : `: ${reason}`}`
  if (!access.isResource) return new ApiError(403, 'Forbidden', `forbidden: ${why}`, {})
  return forbidden({ group: access.group, plural: access.resource }, access.name, why)
}

function deniedText(access: Access): string {
  const who = `User ${JSON.stringify(access.user.username)} cannot ${access.verb}`
  if (!access.isResource) return `${who} path ${JSON.stringify(access.path)}`
  const { resource, subresource, group, namespace } = access
  const what = JSON.stringify(subresource === '' ? resource : `${resource}/${subresource}`)
  const where =
    namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  return `${who} resource ${what} in API group ${JSON.stringify(group)} ${where}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
