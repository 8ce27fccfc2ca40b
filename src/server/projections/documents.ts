// Answers for the documents that are made from the registry: /api, /apis and /openapi.
//
// Nothing is kept between requests. Clients keep these documents themselves and ask again with an
// entity tag or a hash, both of which are cheap to tell.

import { createHash } from 'node:crypto'
import type { ApiGroup, Registry } from '../../api/registry.ts'
import { ApiError } from '../../api/status.ts'
import { VERSION } from '../../lib/version.ts'
import type { Answer, Call } from '../call.ts'
import { negotiateOutput } from '../negotiation.ts'
import { rendered } from '../output/form.ts'
import { loadDescriptions } from './descriptions.ts'
import {
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  groupDiscoveryList,
} from './discovery.ts'
import { openApiV2 } from './openapi-v2.ts'
import { documentsOf, openApiV3 } from './openapi-v3.ts'

export type DocumentsDeps = {
  registry: Registry
  /** host:port, told to clients by /api. */
  serverAddress: string
  nowMs: number
}

const JSON_TYPE = 'application/json'
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const OPENAPI_V2_JSON = ['application/json', 'application/*', '*/*']
const YEAR_MS = 365 * 24 * 3_600_000

/** The answer for a path of discovery or OpenAPI; undefined when the path is none of them. */
export async function documentAnswer(call: Call, deps: DocumentsDeps): Promise<Answer | undefined> {
  const [, root, ...rest] = call.path.replace(/\/$/, '').split('/')
  switch (root) {
    case 'api':
      return coreDocument(call, deps, rest)
    case 'apis':
      return groupDocument(call, deps, rest)
    case 'openapi':
      return openApiDocument(call, deps, rest)
    default:
      return undefined
  }
}

function coreDocument(call: Call, deps: DocumentsDeps, path: readonly string[]) {
  const { registry, serverAddress } = deps
  const core = registry.groups().find(({ name }) => name === '') ?? { name: '', versions: [] }
  if (path.length === 0) {
    if (wantsAggregated(call)) return aggregated(call, groupDiscoveryList(registry, 'core'))
    return answered(call, apiVersions(registry, serverAddress))
  }
  return path.length === 1 ? resources(call, registry, core, path[0]!) : undefined
}

function groupDocument(call: Call, { registry }: DocumentsDeps, path: readonly string[]) {
  if (path.length === 0) {
    if (wantsAggregated(call)) return aggregated(call, groupDiscoveryList(registry, 'named'))
    return answered(call, apiGroupList(registry))
  }
  const group = registry.groups().find(({ name }) => name !== '' && name === path[0])
  if (group === undefined || path.length > 2) return undefined
  if (path.length === 1) return answered(call, apiGroupDocument(group))
  return resources(call, registry, group, path[1]!)
}

function resources(call: Call, registry: Registry, group: ApiGroup, version: string): Answer {
  const of = group.versions.find((candidate) => candidate.version === version)
  if (of === undefined) {
    const message = 'the server could not find the requested resource'
    throw new ApiError(404, 'NotFound', message, {})
  }
  return answered(call, apiResourceList(registry, group.name, of))
}

function answered(call: Call, document: unknown): Answer {
  const output = negotiateOutput(call)
  return rendered(200, document, { output, query: call.query, nowMs: 0 })
}

/** Clients name this form first, and the older ones after it. */
function wantsAggregated(call: Call): boolean {
  const accept = call.header('accept') ?? ''
  return accept.split(',').some((clause) => {
    const [type, ...params] = clause.split(';').map((part) => part.trim())
    const wanted = ['g=apidiscovery.k8s.io', 'v=v2', 'as=APIGroupDiscoveryList']
    return type === JSON_TYPE && wanted.every((param) => params.includes(param))
  })
}

function aggregated(call: Call, document: unknown): Answer {
  const body = JSON.stringify(document)
  return unlessKnown(call, {
    etag: digest(body),
    headers: { 'content-type': AGGREGATED, 'cache-control': 'public' },
    body: () => body,
  })
}

async function openApiDocument(call: Call, deps: DocumentsDeps, [version, ...rest]: string[]) {
  const name = rest.join('/')
  if (version === 'v3') return name === '' ? v3Index(call, deps) : v3Document(call, deps, name)
  return version === 'v2' && name === '' ? v2Document(call, deps) : undefined
}

function v3Index(call: Call, { registry }: DocumentsDeps): Answer | undefined {
  if (!accepts(call)) return notAcceptable()
  const paths = documentsOf(registry).map((document) => {
    const url = `/openapi/v3/${document.name}?hash=${hashOf(document)}`
    return [document.name, { serverRelativeURL: url }]
  })
  const body = JSON.stringify({ paths: Object.fromEntries(paths) })
  return { code: 200, headers: { 'content-type': JSON_TYPE }, body }
}

async function v3Document(call: Call, { registry, nowMs }: DocumentsDeps, name: string) {
  const document = documentsOf(registry).find((candidate) => candidate.name === name)
  if (document === undefined) return undefined
  if (!accepts(call)) return notAcceptable()
  const hash = hashOf(document)
  const asked = call.query.get('hash')
  if (asked !== undefined && asked !== hash) {
    const location = `/openapi/v3/${name}?hash=${hash}`
    return { code: 301, headers: { location, 'content-type': JSON_TYPE }, body: '' }
  }
  // What is asked for with its hash can never change, so clients may keep it for good.
  const forGood = {
    'cache-control': 'public, immutable',
    expires: new Date(nowMs + YEAR_MS).toUTCString(),
  }
  const describe = await loadDescriptions()
  return unlessKnown(call, {
    etag: hash,
    headers: { 'content-type': JSON_TYPE, ...(asked === undefined ? {} : forGood) },
    body: () => JSON.stringify(openApiV3(document.group, document.of, describe)),
  })
}

/** In JSON only: clients that know no version 3 and ask for protobuf validate nothing instead. */
async function v2Document(call: Call, { registry }: DocumentsDeps): Promise<Answer> {
  if (!accepts(call)) return notAcceptable()
  const describe = await loadDescriptions()
  return unlessKnown(call, {
    etag: digest(documentsOf(registry).map(hashOf).join('\n')),
    headers: { 'content-type': JSON_TYPE },
    body: () => JSON.stringify(openApiV2(registry, describe)),
  })
}

function accepts(call: Call): boolean {
  const accept = call.header('accept')
  if (accept === undefined || accept === '') return true
  const types = accept.split(',').map((clause) => clause.split(';')[0]!.trim())
  return types.some((type) => OPENAPI_V2_JSON.includes(type))
}

function notAcceptable(): Answer {
  return { code: 406, headers: { vary: 'Accept' }, body: '' }
}

/** 304 when the client has it already. */
function unlessKnown(
  call: Call,
  document: { etag: string; headers: Record<string, string>; body: () => string },
): Answer {
  const etag = `"${document.etag}"`
  const headers = { ...document.headers, etag, vary: 'Accept' }
  const known =
    call
      .header('if-none-match')
      ?.split(',')
      .map((tag) => tag.trim()) ?? []
  if (known.includes(etag)) return { code: 304, headers, body: '' }
  return { code: 200, headers, body: document.body() }
}

/** Changes when a row of the group version changes, or this program does. */
function hashOf({ name, of }: ReturnType<typeof documentsOf>[number]): string {
  const rows = of.rows.map((row) => {
    const { kind, plural, type, scope, verbs, parts, actions, status, scale } = row
    const names = [Object.keys(parts), actions.map((action) => action.name), status?.verbs, scale]
    return [kind, plural, type, scope, verbs, names]
  })
  return digest(JSON.stringify([VERSION, name, rows]))
}

function digest(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase()
}
