// PATCH: four ways to say what changes, one loop that carries it out.

import { DecodeError, decodeValue } from '../../../api/codec/decode.ts'
import { duplicatePaths, JsonSyntaxError, parseJson, plainJson } from '../../../api/codec/json.ts'
import type { AnyObject } from '../../../api/object.ts'
import { applyConfiguration } from '../../../api/patch/apply/apply.ts'
import { applyPatch, type PatchType, patchTypeOf, UNREADABLE } from '../../../api/patch/patch.ts'
import { isObject } from '../../../api/patch/value.ts'
import { type AnyRow, groupVersionOf, type PartResource } from '../../../api/resource.ts'
import {
  ApiError,
  badRequest,
  conflict,
  fieldError,
  invalid,
  notFound,
} from '../../../api/status.ts'
import { notCustomKind, withDefaults } from '../../request/decode.ts'
import { mediaTypeOf, negotiateOutput, unsupportedMediaType } from '../../request/negotiation.ts'
import { type WriteOptions, writeOptions } from '../../request/options.ts'
import { formOf } from '../../response/form.ts'
import { parseYaml } from '../../response/yaml.ts'
import type { ResourceRequest } from '../../server.ts'
import { type Answer, BODY_BYTES_MAX } from '../../transport/call.ts'
import { matchNamespace, writtenAnswer } from './create.ts'
import { noteManagers, setManagedFields, writerOf } from './field-managers.ts'
import { changeObject, matchName } from './update.ts'

export async function patch(request: ResourceRequest): Promise<Answer> {
  return patchPart(request, undefined)
}

/** `part` is the sub-resource that is written; undefined for the object itself. */
export async function patchPart(
  request: ResourceRequest,
  part: PartResource<AnyObject> | undefined,
): Promise<Answer> {
  const { call, row } = request
  const type = patchTypeOf(mediaTypeOf(call.header('content-type') ?? ''))
  // The framework in front of upstream's handlers answers this one.
  if (type === undefined) throw wrongPatchType()
  if (type === 'strategic' && row.custom) throw noStrategicPatch()
  const output = negotiateOutput(call)
  const bytes = await call.body(BODY_BYTES_MAX)
  const options = writeOptions(call.query, type === 'apply' ? 'apply' : 'patch')
  const text = new TextDecoder().decode(bytes)
  const change =
    type === 'apply' ? applier(request, text, options) : patcher(request, type, text, options)
  const mayCreate = type === 'apply'
  const { written, created } = await changeObject(request, { change, part, mayCreate, options })
  return writtenAnswer(request, created ? 201 : 200, written, formOf(request, output))
}

/** Custom resources have no patch keys. */
function noStrategicPatch(): ApiError {
  const accepted = ['json-patch+json', 'merge-patch+json', 'apply-patch+yaml']
  const list = accepted.map((type) => `application/${type}`).join(', ')
  const unknown = 'the body of the request was in an unknown format'
  return unsupportedMediaType(`${unknown} - accepted media types include: ${list}`)
}

export function wrongPatchType(): ApiError {
  const error = unsupportedMediaType('415: Unsupported Media Type')
  return new ApiError(error.code, error.reason, error.message, {})
}

type ChangeOf = (old: AnyObject | undefined) => AnyObject

function patcher(
  request: ResourceRequest,
  type: PatchType,
  text: string,
  options: WriteOptions,
): ChangeOf {
  const { row, info } = request
  const { body, strictFaults } = readPatch(text, type)
  return (old) => {
    if (old === undefined) throw notFound(row, info.name)
    // The result shares parts with what was patched, and `old` must stay as it is.
    const live = structuredClone(old)
    const objectType = row.custom ? undefined : row.schema()
    const patched = applyPatch({ type, body, live, objectType })
    const text = row.custom && shownText(patched, options)
    const shown = () => text ?? (type === 'strategic' ? goText(body) : JSON.stringify(patched))
    const fixed = type === 'strategic'
    const object = decodePatched(request, patched, { strictFaults, options, shown, fixed })
    matchNamespace(request, object)
    matchName(request, object)
    noteManagers(request, old, object, options.fieldManager)
    return object
  }
}

/** The body of a patch, and what is strictly wrong with it. Throws 400. */
export function readPatch(text: string, type: PatchType) {
  const parsed = readJson(text, type)
  const twice = duplicatePaths(parsed).map((path) => `duplicate field ${JSON.stringify(path)}`)
  const strictFaults = type === 'json' ? twice.map((fault) => `json patch ${fault}`) : twice
  return { body: plainJson(parsed), strictFaults }
}

function readJson(text: string, type: PatchType) {
  try {
    return parseJson(text)
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badRequest(UNREADABLE[type] + error.message)
    throw error
  }
}

type Decoding = {
  /** What was wrong with the patch itself. */
  strictFaults: readonly string[]
  options: WriteOptions
  /** The text that stands in the answer when the result is no object of its kind. */
  shown: () => string
  /** Whether the kind stays what it was, whatever the patch says of it. */
  fixed: boolean
}

function decodePatched(
  request: ResourceRequest,
  patched: object,
  { strictFaults, options, shown, fixed }: Decoding,
): AnyObject {
  const { row } = request
  const refused = (why: string) =>
    invalid({ group: '', kind: '' }, '', [fieldError.invalid('patch', shown(), why)])
  try {
    const decoded = decodeAs(row, patched)
    const faults = [...strictFaults, ...decoded.strictFaults]
    if (faults.length > 0 && options.fieldValidation === 'Strict') {
      throw refused(`strict decoding error: ${faults.join(', ')}`)
    }
    if (options.fieldValidation === 'Warn') request.warnings.push(...faults)
    const object = decoded.object as AnyObject
    if (fixed) Object.assign(object, { apiVersion: groupVersionOf(row), kind: row.kind })
    else if (object.kind !== row.kind) {
      if (row.custom) throw notCustomKind(kindOf(object), row, object.metadata.name ?? '')
      throw refused(noConversion(row, object))
    }
    return withDefaults(row, object)
  } catch (error) {
    if (error instanceof DecodeError) throw refused(error.message)
    throw error
  }
}

/** What is refused is shown as it was before it was read, its fields sorted. */
function shownText(patched: object, { fieldValidation }: WriteOptions): string | undefined {
  if (fieldValidation !== 'Strict') return undefined
  return JSON.stringify(patched, (_, value) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).sort()) : value,
  )
}

function decodeAs(row: AnyRow, value: object) {
  return row.custom?.decode({ value, repeated: undefined }) ?? decodeValue(value, row.schema())
}

function kindOf({ apiVersion = '', kind = '' }: AnyObject) {
  const [group = '', version = ''] = apiVersion.split('/')
  return { group, version, kind }
}

function noConversion(row: AnyRow, { apiVersion = '', kind }: AnyObject): string {
  const version = apiVersion.replace(/^.*\//, '')
  const internal = row.group.replace(/\..*$/, '') || 'core'
  return `converting (${version}.${kind}) to (${internal}.${row.kind}): unknown conversion`
}

function applier(request: ResourceRequest, text: string, options: WriteOptions): ChangeOf {
  const { row } = request
  const { value: config, duplicates } = readYaml(text)
  return (old) => {
    const { object: merged, managedFields } = applyConfiguration({
      ...writerOf(request, options.fieldManager),
      live: old,
      config,
      objectType: row.schema(),
      kind: row.kind,
      force: options.force,
    })
    reportDuplicates(request, duplicates, options)
    const object = withDefaults(row, decodeApplied(row, merged))
    if (old === undefined) checkNoUid(request, object)
    matchNamespace(request, object)
    matchName(request, object)
    setManagedFields(object, managedFields)
    return object
  }
}

function readYaml(text: string) {
  try {
    return parseYaml(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw badRequest(`${UNREADABLE.apply}error converting YAML to JSON: yaml: ${why}`)
  }
}

function reportDuplicates(
  request: ResourceRequest,
  duplicates: readonly { line: number; key: string }[],
  { fieldValidation }: WriteOptions,
): void {
  if (duplicates.length === 0 || fieldValidation === 'Ignore') return
  const lines = duplicates.map(({ line, key }) => `line ${line}: key "${key}" already set in map`)
  if (fieldValidation === 'Warn') {
    request.warnings.push(...lines)
    return
  }
  const why = lines.map((line) => `\n  ${line}`).join('')
  const converting = 'error converting YAML to JSON: yaml: unmarshal errors:'
  throw badRequest(`error strict decoding YAML: ${converting}${why}`)
}

/** The configuration has been checked against the type; what is left to fail is upstream's 500. */
function decodeApplied(row: AnyRow, merged: object): AnyObject {
  try {
    return decodeAs(row, structuredClone(merged)).object as AnyObject
  } catch (error) {
    if (error instanceof DecodeError) {
      throw new ApiError(500, '', `failed to convert typed object to object: ${error.message}`)
    }
    throw error
  }
}

function checkNoUid({ row, info }: ResourceRequest, object: AnyObject): void {
  const { uid } = object.metadata
  if (!uid) return
  const why = `the provided object specified uid ${uid}, and no existing object was found`
  throw conflict(row, info.name, `uid mismatch: ${why}`)
}

/** A JSON value as Go prints it with %+v. */
function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (typeof value !== 'object') return String(value)
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goText(item)}`).join(' ')}]`
}
