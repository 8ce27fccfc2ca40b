// Bodies as objects: parsed, checked against the type, defaulted. Faults are answered in the words
// of upstream's decoder.

import { DecodeError, decodeParsed, type StrictFaults } from '../../api/codec/decode.ts'
import { JsonSyntaxError, type ParsedJson, parseJson } from '../../api/codec/json.ts'
import { ProtobufError, readEnvelopedBody } from '../../api/codec/protobuf-read.ts'
import type { AnyObject } from '../../api/object.ts'
import { isObject } from '../../api/patch/value.ts'
import type { Registry } from '../../api/registry.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import { applyDefaults } from '../../api/schema/defaults.ts'
import { objectType } from '../../api/schema/schema.ts'
import { type ApiError, badRequest, fieldError, invalid } from '../../api/status.ts'
import { parseYaml } from '../response/yaml.ts'
import { BODY_BYTES_MAX } from '../transport/call.ts'
import type { AdmittedResource } from './admitted.ts'
import { type Format, inputFormat } from './negotiation.ts'
import type { FieldValidation } from './options.ts'

/** The type that a body must be of: a row, or the body of an action. */
/** A request with a body, and where the kinds that there are can be looked up. */
type Decoded = AdmittedResource & { readonly server: { readonly registry: Registry } }

export type BodyType = Pick<AnyRow, 'group' | 'version' | 'kind' | 'type'> & {
  readonly custom?: AnyRow['custom']
}

const utf8 = new TextDecoder()
const TEXT_FORMATS: readonly Format[] = ['json', 'yaml']

/** The body as an object of the row's kind, with defaults. Strict faults are warned of or thrown.
 */
export async function decodeBody(
  request: Decoded,
  validation: FieldValidation,
): Promise<AnyObject> {
  const { row } = request
  const object = await decodeTyped(request, row, validation)
  try {
    return withDefaults(row, object)
  } catch (error) {
    if (error instanceof DecodeError) throw cannotBeHandled(row, row, error.message)
    throw error
  }
}

/** The same for bodies that are no row: Binding, Eviction, the reviews. */
export async function decodeTyped(
  request: Decoded,
  type: BodyType,
  validation: FieldValidation,
): Promise<AnyObject> {
  const { call } = request
  const format = inputFormat(call, type.custom ? TEXT_FORMATS : undefined)
  const bytes = await call.body(BODY_BYTES_MAX)
  const { parsed, yamlFaults } = parsedBody(bytes, format, type)
  const kind = kindOf(parsed.value, bytes, type)
  checkKind(request, kind, type, nameOf(parsed.value))
  const faulty = (why: string) => cannotBeHandled(kind, type, why)
  try {
    const { object, strictFaults } =
      type.custom?.decode(parsed) ?? decodeParsed(parsed, objectType(type.type))
    const faults = yamlFaults.length === 0 ? strictFaults : [...yamlFaults, ...strictFaults]
    if (faults.length > 0 && validation !== 'Ignore') report(request, faults, validation, faulty)
    object.kind = type.kind
    object.apiVersion = groupVersionOf(type)
    object.metadata ??= {}
    return object as AnyObject
  } catch (error) {
    if (error instanceof DecodeError) throw faulty(error.message)
    throw error
  }
}

/** Defaults of the facts, then those of the row, which may find what decoding could not. */
export function withDefaults(row: AnyRow, object: AnyObject): AnyObject {
  // Those of a custom resource are all its own: they know nulls from what is not there.
  if (row.custom === undefined) applyDefaults(object, row.schema())
  row.defaults(object)
  return object
}

function report(
  request: Decoded,
  faults: StrictFaults,
  validation: FieldValidation,
  faulty: (why: string) => ApiError,
): void {
  const [yaml, others] = [faults.filter(isYamlFault), faults.filter((f) => !isYamlFault(f))]
  if (validation === 'Warn') {
    request.warnings.push(...faults)
    return
  }
  const lines = yaml.map((fault) => `\n  ${fault}`).join('')
  const first = yaml.length === 0 ? [] : [`yaml: unmarshal errors:${lines}`]
  throw faulty(`strict decoding error: ${[...first, ...others].join(', ')}`)
}

const isYamlFault = (fault: string) => fault.startsWith('line ')

type ParsedBody = { parsed: ParsedJson; yamlFaults: StrictFaults }

function parsedBody(bytes: Uint8Array, format: Format, type: BodyType): ParsedBody {
  if (format === 'protobuf') return { parsed: protobufBody(bytes, type), yamlFaults: [] }
  const text = utf8.decode(bytes)
  try {
    if (format !== 'yaml') return { parsed: parseJson(text), yamlFaults: [] }
    const { value, duplicates } = parseYaml(text)
    const yamlFaults = duplicates.map(
      ({ line, key }) => `line ${line}: key ${JSON.stringify(key)} already set in map`,
    )
    return { parsed: { value: value ?? {}, repeated: undefined }, yamlFaults }
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      throw unrecognized(bytes, type, NO_KIND + error.message)
    }
    throw unrecognized(bytes, type, `yaml: ${error instanceof Error ? error.message : error}`)
  }
}

function protobufBody(bytes: Uint8Array, type: BodyType): ParsedJson {
  try {
    return { value: readEnvelopedBody(bytes, type), repeated: undefined }
  } catch (error) {
    if (error instanceof ProtobufError) throw unrecognized(bytes, type, error.message)
    throw error
  }
}

type Kind = { group: string; version: string; kind: string }

const NO_KIND = "couldn't get version/kind; json parse error: "
const GO_TYPE_META =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\"";' +
  ' Kind string "json:\\"kind,omitempty\\"" }'

/** What the body says it is; what it does not say is what the path wants. */
function kindOf(value: unknown, bytes: Uint8Array, type: BodyType): Kind {
  const misfit = (what: string, where: string) =>
    unrecognized(bytes, type, `${NO_KIND}json: cannot unmarshal ${what} into Go ${where}`)
  if (value === null) return { group: type.group, version: type.version, kind: type.kind }
  if (!isObject(value)) throw misfit(jsonType(value), `value of type ${GO_TYPE_META}`)
  for (const field of ['apiVersion', 'kind'] as const) {
    const said = value[field]
    if (said === undefined || said === null || typeof said === 'string') continue
    throw misfit(jsonType(said), `struct field .${field} of type string`)
  }
  const kind = (value.kind || type.kind) as string
  if (!value.apiVersion) return { group: type.group, version: type.version, kind }
  const parts = (value.apiVersion as string).split('/')
  if (parts.length > 2) {
    throw unrecognized(bytes, type, `unexpected GroupVersion string: ${value.apiVersion}`)
  }
  const version = parts.pop()!
  return { group: parts[0] ?? '', version, kind }
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'string' ? 'string' : typeof value === 'object' ? 'object' : 'number'
}

function checkKind({ server }: Decoded, kind: Kind, type: BodyType, name: string): void {
  if (kind.kind === type.kind && kind.group === type.group && kind.version === type.version) return
  if (type.custom) throw notCustomKind(kind, type, name)
  const known = server.registry.findKind(kind.group, kind.version, kind.kind)
  const quoted = (text: string) => JSON.stringify(text)
  if (known === undefined) {
    const where = `for version ${quoted(versionOf(kind))} in scheme ${quoted(GO_SCHEME)}`
    throw cannotBeHandled(kind, type, `no kind ${quoted(kind.kind)} is registered ${where}`)
  }
  const into = `${type.group.split('.')[0] || 'core'}.${type.kind}`
  const why = `converting (${kind.version}.${kind.kind}) to (${into}): unknown conversion`
  throw cannotBeHandled(kind, type, why)
}

/** A custom resource may call itself anything, until it is judged. */
export function notCustomKind(kind: Kind, type: BodyType, name: string): ApiError {
  if (kind.group === type.group && kind.version === type.version) {
    const fault = fieldError.invalid('kind', kind.kind, `must be ${type.kind}`)
    return invalid({ group: kind.group, kind: kind.kind }, name, [fault])
  }
  const data = `the API version in the data (${versionOf(kind)})`
  return badRequest(`${data} does not match the expected API version (${versionOf(type)})`)
}

function nameOf(value: unknown): string {
  const metadata = isObject(value) ? value.metadata : undefined
  return isObject(metadata) && typeof metadata.name === 'string' ? metadata.name : ''
}

const GO_SCHEME = 'pkg/runtime/scheme.go:111'

const versionOf = ({ group, version }: Pick<Kind, 'group' | 'version'>) =>
  group === '' ? version : `${group}/${version}`

function cannotBeHandled(kind: Kind, type: BodyType, why: string): ApiError {
  const version = JSON.stringify(kind.version)
  return badRequest(
    `${kind.kind} in version ${version} cannot be handled as a ${type.kind}: ${why}`,
  )
}

/** How much of a body that is no object messages show. */
const SUMMARY_BYTES_MAX = 30

function unrecognized(bytes: Uint8Array, type: BodyType, why: string): ApiError {
  const head = bytes.subarray(0, SUMMARY_BYTES_MAX)
  const shown = bytes[0] === 0x7b ? utf8.decode(head) : Buffer.from(head).toString('hex')
  const tail = bytes.length > SUMMARY_BYTES_MAX ? ' ...' : ''
  const summary = bytes.length === 0 ? '<empty>' : shown + tail
  return badRequest(
    `the object provided is unrecognized (must be of type ${type.kind}): ${why} (${summary})`,
  )
}
