// Answers for /openapi/v2 and /openapi/v3.
//
// Nothing is kept between requests. Clients keep these documents themselves and ask again with an
// entity tag or a hash, both of which are cheap to tell.

import { createHash } from 'node:crypto'
import type { Registry } from '../../api/registry.ts'
import { VERSION } from '../../lib/version.ts'
import type { Admitted } from '../request/admitted.ts'
import { methodNotAllowed, pageNotFound } from '../response/errors.ts'
import type { Server } from '../server.ts'
import type { Answer, Call } from '../transport/call.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiV2 } from './openapi-v2.ts'
import { openApiV2Protobuf } from './openapi-v2-protobuf.ts'
import { documentsOf, openApiV3 } from './openapi-v3.ts'

const JSON_TYPE = 'application/json'
/** Asked for with an @ where the answer has a dot, as upstream's server has it. */
const PROTOBUF_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
const PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
const ACCEPTED = [JSON_TYPE, 'application/*', '*/*']
const YEAR_MS = 365 * 24 * 3_600_000

export async function openApi(server: Server, { call }: Admitted): Promise<Answer> {
  if (call.method !== 'GET' && call.method !== 'HEAD') throw methodNotAllowed()
  const answer = await openApiDocument(call, server.registry, server.clock.nowMs())
  return answer ?? pageNotFound()
}

/** Undefined for a path that is no document. */
export async function openApiDocument(
  call: Call,
  registry: Registry,
  nowMs: number,
): Promise<Answer | undefined> {
  const [version, ...rest] = call.path
    .replace(/^\/openapi\//, '')
    .replace(/\/$/, '')
    .split('/')
  const name = rest.join('/')
  if (version === 'v2' && name === '') return v2Document(call, registry)
  if (version !== 'v3') return undefined
  return name === '' ? v3Index(call, registry) : v3Document(call, registry, { name, nowMs })
}

function v3Index(call: Call, registry: Registry): Answer {
  if (!accepts(call)) return notAcceptable()
  const paths = documentsOf(registry).map((document) => {
    const url = `/openapi/v3/${document.name}?hash=${hashOf(document)}`
    return [document.name, { serverRelativeURL: url }]
  })
  const body = JSON.stringify({ paths: Object.fromEntries(paths) })
  return { code: 200, headers: { 'content-type': JSON_TYPE }, body }
}

async function v3Document(
  call: Call,
  registry: Registry,
  { name, nowMs }: { name: string; nowMs: number },
): Promise<Answer | undefined> {
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

async function v2Document(call: Call, registry: Registry): Promise<Answer> {
  const isJson = accepts(call)
  if (!isJson && !acceptedTypes(call).includes(PROTOBUF_ASKED)) return notAcceptable()
  const describe = await loadDescriptions()
  const document = () => openApiV2(registry, describe)
  return unlessKnown(call, {
    etag: digest(documentsOf(registry).map(hashOf).join('\n')),
    headers: { 'content-type': isJson ? JSON_TYPE : PROTOBUF_TYPE },
    body: () => (isJson ? JSON.stringify(document()) : openApiV2Protobuf(document())),
  })
}

function accepts(call: Call): boolean {
  const types = acceptedTypes(call)
  return types.length === 0 || types.some((type) => ACCEPTED.includes(type))
}

function acceptedTypes(call: Call): string[] {
  const accept = call.header('accept') ?? ''
  return accept === '' ? [] : accept.split(',').map((clause) => clause.split(';')[0]!.trim())
}

function notAcceptable(): Answer {
  return { code: 406, headers: { vary: 'Accept' }, body: '' }
}

/** 304 when the client has it already. */
function unlessKnown(
  call: Call,
  document: { etag: string; headers: Record<string, string>; body: () => string | Uint8Array },
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
    return [kind, plural, type, scope, verbs, names, row.custom?.digestOf()]
  })
  return digest(JSON.stringify([VERSION, name, rows]))
}

function digest(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase()
}
