// What a request asks for, from its method, path and query alone.

import { parseFieldSelector } from '../../api/field-selector.ts'
import { SelectorError } from '../../api/selector.ts'
import { own } from '../../lib/own.ts'
import { isTrue, type Query } from './query.ts'

export type RequestInfo = {
  isResource: boolean
  path: string
  /** get, list, watch, create, …, deletecollection; for other paths the method, in lower case. */
  verb: string
  prefix: string
  group: string
  version: string
  /** Empty for cluster scope and for requests over all namespaces. */
  namespace: string
  /** The plural, as in the path. */
  resource: string
  subresource: string
  /** Empty for collections. A watch or list of one name by field selector carries that name. */
  name: string
  /** The name stands in the path, not in a field selector. */
  namedByPath: boolean
  /** What follows the sub-resource, or the name of a `proxy`; with its slashes. */
  rest: string
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize'])

const VERBS: Record<string, string> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

export function requestInfo(method: string, path: string, query: Query): RequestInfo {
  const info: RequestInfo = {
    isResource: false,
    path,
    verb: method.toLowerCase(),
    prefix: '',
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    namedByPath: false,
    rest: '',
  }
  let parts = splitPath(path)
  if (parts.length < 3 || (parts[0] !== 'api' && parts[0] !== 'apis')) return info
  if (parts[0] === 'apis' && parts.length < 4) return info
  info.isResource = true
  info.prefix = parts[0]
  if (parts[0] === 'apis') info.group = parts[1]!
  parts = parts.slice(info.prefix === 'apis' ? 2 : 1)
  info.version = parts[0]!
  parts = parts.slice(1)
  info.verb = own(VERBS, method) ?? ''

  // The old form /api/v1/watch/…, which still exists upstream.
  if (parts[0] === 'watch' && parts.length > 1) {
    info.verb = 'watch'
    parts = parts.slice(1)
  }
  readParts(info, parts)
  if (info.name === '' && info.verb === 'get') readCollectionVerb(info, query)
  if (info.name === '' && info.verb === 'delete') info.verb = 'deletecollection'
  return info
}

function readParts(info: RequestInfo, given: readonly string[]): void {
  let parts = given
  if (parts[0] === 'namespaces' && parts.length > 1) {
    info.namespace = parts[1]!
    if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2]!)) parts = parts.slice(2)
  }
  info.resource = parts[0] ?? ''
  info.name = parts[1] ?? ''
  info.namedByPath = info.name !== ''
  info.subresource = parts[2] ?? ''
  if (parts.length > 3) info.rest = `/${parts.slice(3).join('/')}`
  if (info.rest !== '' && info.path.endsWith('/')) info.rest += '/'
  else if (info.subresource !== '' && parts.length === 3 && info.path.endsWith('/')) info.rest = '/'
}

function readCollectionVerb(info: RequestInfo, query: Query): void {
  const watch = query.get('watch')
  info.verb = watch !== undefined && isTrue(watch) ? 'watch' : 'list'
  const name = selectedName(query.get('fieldSelector'))
  if (name !== undefined) info.name = name
}

/** The name in a field selector that asks for exactly one, for the authorizer. */
function selectedName(selector: string | undefined): string | undefined {
  if (!selector?.includes('metadata.name')) return undefined
  try {
    const terms = parseFieldSelector(selector)
    const wanted = terms.find(({ field, operator }) => {
      return field === 'metadata.name' && operator === '='
    })
    return wanted !== undefined && isPathSegment(wanted.value) ? wanted.value : undefined
  } catch (error) {
    // A selector that cannot be read selects nobody; the list itself says what is wrong with it.
    if (error instanceof SelectorError) return undefined
    throw error
  }
}

function isPathSegment(name: string): boolean {
  return name !== '.' && name !== '..' && !/[/%]/.test(name)
}

function splitPath(path: string): string[] {
  let [from, to] = [0, path.length]
  while (path[from] === '/') from++
  while (to > from && path[to - 1] === '/') to--
  return from === to ? [] : path.slice(from, to).split('/')
}
