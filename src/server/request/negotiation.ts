// Which form an answer takes and which a body has: Accept, Content-Type and User-Agent.
//
// Source of the rules: apiserver's endpoints/handlers/negotiation. Clauses are tried in their order
// (by q), supported types in ours.

import { ApiError } from '../../api/status.ts'
import { own } from '../../lib/own.ts'
import type { Call } from '../transport/call.ts'

export type Format = 'json' | 'yaml' | 'protobuf'

export type Projection = {
  kind: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'
  version: 'v1' | 'v1beta1'
}

export type Output = {
  format: Format
  /** Something else than the object itself is asked for. */
  as: Projection | undefined
  pretty: boolean
}

export const MEDIA_TYPES: Record<Format, string> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
}

const FORMATS: Record<string, Format> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
}
const ALL_FORMATS: readonly Format[] = ['json', 'yaml', 'protobuf']

const PLAIN_JSON: Output = { format: 'json', as: undefined, pretty: false }

type Clause = { type: string; q: number; params: ReadonlyMap<string, string> }

/**
 * Throws 406 when nothing that is asked for can be had. `formats` are those that this endpoint
 * offers, in order of preference.
 */
export function negotiateOutput(call: Call, formats: readonly Format[] = ALL_FORMATS): Output {
  const accept = call.header('accept')
  const pretty = wantsPretty(call)
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') {
    return pretty ? { ...PLAIN_JSON, pretty } : PLAIN_JSON
  }
  const clauses = parseAccept(accept)
  let protobuf: Output | undefined
  for (const clause of clauses) {
    for (const format of formats) {
      if (!matches(clause.type, MEDIA_TYPES[format])) continue
      const as = projectionOf(clause.params, format)
      if (as === 'impossible') continue
      const output = { format, as, pretty: clause.params.get('pretty') === '1' || pretty }
      if (format !== 'protobuf') return output
      protobuf ??= output
    }
  }
  // Objects are kept as JSON, so protobuf costs more: those have it who take nothing else.
  if (protobuf !== undefined) return protobuf
  throw notAcceptable(clauses, formats)
}

const DISCOVERY = { group: 'apidiscovery.k8s.io', version: 'v2', kind: 'APIGroupDiscoveryList' }

/** True when aggregated discovery is wanted rather than the old documents. */
export function wantsAggregatedDiscovery(call: Call): boolean {
  const accept = call.header('accept')
  if (!accept?.includes(DISCOVERY.group)) return false
  const clause = parseAccept(accept).find(
    ({ type, params }) =>
      matches(type, MEDIA_TYPES.json) &&
      (!params.has('as') || (params.get('as') === DISCOVERY.kind && params.get('v') === 'v2')),
  )
  return clause?.params.get('g') === DISCOVERY.group
}

/** The form of answers to errors: never 406, since there must be one. */
export function negotiateError(call: Call): Output {
  try {
    const { format, pretty } = negotiateOutput(call)
    return { format, as: undefined, pretty }
  } catch {
    // The error that is being answered may well be this one: JSON is what everybody reads.
    return { ...PLAIN_JSON, pretty: wantsPretty(call) }
  }
}

/** Throws 415 for a type that is none of `formats`. No type means JSON. */
export function inputFormat(call: Call, formats: readonly Format[] = ALL_FORMATS): Format {
  const header = call.header('content-type')
  if (header === undefined || header === '' || header === 'application/json') return 'json'
  const format = own(FORMATS, mediaTypeOf(header))
  if (format === undefined || !formats.includes(format)) {
    const accepted = formats.map((known) => MEDIA_TYPES[known]).join(', ')
    throw unsupportedMediaType(
      'the body of the request was in an unknown format - accepted media types include:' +
        ` ${accepted}`,
    )
  }
  return format
}

export function unsupportedMediaType(message: string): ApiError {
  return new ApiError(415, 'UnsupportedMediaType', message)
}

/** The type without its parameters, lower case. */
export function mediaTypeOf(header: string): string {
  const end = header.indexOf(';')
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase()
}

/** Indented for people: they say so, or their program is known to show answers as they come. */
function wantsPretty(call: Call): boolean {
  const asked = call.query.get('pretty')
  if (asked !== undefined) return asked !== 'false' && asked !== '0'
  const agent = call.header('user-agent')
  return agent !== undefined && /^(curl|Wget|Mozilla\/5\.0)/.test(agent)
}

function projectionOf(
  params: ReadonlyMap<string, string>,
  format: Format,
): Projection | undefined | 'impossible' {
  const kind = params.get('as')
  if (kind === undefined) return undefined
  const version = params.get('v')
  if (params.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) {
    return 'impossible'
  }
  if (kind === 'Table') return format === 'protobuf' ? 'impossible' : { kind, version }
  if (kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList') {
    return { kind, version }
  }
  return 'impossible'
}

function matches(asked: string, offered: string): boolean {
  return asked === offered || asked === '*/*' || asked === 'application/*'
}

function parseAccept(header: string): Clause[] {
  const clauses = header.split(',').map((text): Clause => {
    const [type = '', ...rest] = text.split(';')
    const params = new Map<string, string>()
    for (const param of rest) {
      const at = param.indexOf('=')
      if (at > 0) params.set(param.slice(0, at).trim(), param.slice(at + 1).trim())
    }
    const q = params.has('q') ? Number(params.get('q')) : 1
    return { type: type.trim() === '*' ? '*/*' : type.trim().toLowerCase(), q, params }
  })
  return clauses.sort((a, b) => b.q - a.q)
}

/** For kinds that have no tables: those that are answered and never stored. */
export function noTable(): ApiError {
  const list = ALL_FORMATS.map((format) => MEDIA_TYPES[format]).join(', ')
  return new ApiError(406, 'NotAcceptable', `only the following media types are accepted: ${list}`)
}

function notAcceptable(clauses: readonly Clause[], formats: readonly Format[]): ApiError {
  const offered = formats.map((format) => MEDIA_TYPES[format])
  const known = clauses.some((clause) => offered.some((type) => matches(clause.type, type)))
  const list = offered.join(', ')
  if (known) {
    const message = `only the following media types are accepted: ${list}`
    return new ApiError(406, 'NotAcceptable', message)
  }
  const message = `406: Not Acceptable\n\nAvailable representations: ${list}`
  return new ApiError(406, 'NotAcceptable', message, {})
}
