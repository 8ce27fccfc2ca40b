// Replaces what can never be equal on two servers, so that all the rest can be compared.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const VOLUME_SUFFIX = /(?<=kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}/g
const REVISION = /(resourceVersion: |resourceVersion\\?":\s*\\?)"?\d+\\?"?/g
const TOO_LARGE = /Too large resource version: \d+, current: \d+/g
const RECORD = /in record \(\d+\)/g
const PEM = /-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----\n?/g
const HASH = /(?<=X509SHA256=)[0-9a-f]{64}/g
const JWT = /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g

/** How long ago something was, in a table: a cell of its own, or beside a count of restarts. */
const AGE = /^(\d+[smhdy])+$/
const AGO = /(?<=^\d+ \()(\d+[smhdy])+(?= ago\)$)/

const VARYING = new Set([
  ...['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'time', 'continue'],
])

type Loose = { readonly ignore: readonly string[]; readonly unordered: readonly string[] }

/** `value` with uids, times, revisions and the like replaced, and the paths to ignore hidden. */
export function normal(value: unknown, namespace: string, { ignore, unordered }: Loose): Json {
  const walk = (json: Json, path: string): Json => {
    if (ignore.includes(path)) return '<ignored>'
    if (typeof json === 'string') {
      return path.endsWith('.rows[].cells[]') ? normalCell(json, namespace) : normalText(json, namespace)
    }
    if (Array.isArray(json)) {
      const items = json.map((item) => walk(item, `${path}[]`))
      return unordered.includes(path) ? items.toSorted(byText) : items
    }
    if (json === null || typeof json !== 'object') return json
    const result: { [key: string]: Json } = {}
    for (const key of Object.keys(json).sort()) {
      const field = prepared(json, key)
      result[key] = VARYING.has(key) && isScalar(field) ? '<any>' : walk(field, `${path}.${key}`)
    }
    return result
  }
  return walk(value as Json, '')
}

function normalCell(cell: string, namespace: string): string {
  if (AGE.test(cell)) return '<age>'
  return normalText(cell, namespace).replace(AGO, '<age>')
}

function isScalar(value: Json): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number'
}

function prepared(object: { [key: string]: Json }, key: string): Json {
  const value = object[key]!
  if (key === 'name' && object['generateName'] && value) return `${object['generateName']}<generated>`
  if (key === 'managedFields' && Array.isArray(value)) return value.toSorted(byManager)
  return value
}

function byText(a: Json, b: Json): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

/** Managers are kept in order of time, which may tie. */
function byManager(a: Json, b: Json): number {
  const keyOf = (entry: Json) => {
    const { operation, manager, subresource, apiVersion } = entry as { [key: string]: Json }
    return `${operation} ${manager} ${subresource ?? ''} ${apiVersion}`
  }
  return keyOf(a) < keyOf(b) ? -1 : 1
}

export function normalText(text: string, namespace: string): string {
  return text
    .replace(PEM, '<$1>')
    .replace(JWT, '<jwt>')
    .replace(HASH, '<hash>')
    .replace(TIME, '<time>')
    .replace(UUID, '<uuid>')
    .replace(VOLUME_SUFFIX, '<generated>')
    .replace(REVISION, '$1<any>')
    .replace(RECORD, 'in record (<any>)')
    .replace(TOO_LARGE, 'Too large resource version: <any>, current: <any>')
    .replaceAll(namespace, '<ns>')
}
