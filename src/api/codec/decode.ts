// Makes of JSON what Go's API server would make of it: known fields of the right types, nothing
// else, canonical quantities and times, and the empty values that Go always writes.
//
// One walk, in place: an object that is already in order is only looked at. Faults are Go's
// (sigs.k8s.io/json): a type that does not fit ends the decoding after the walk, with the first
// such fault; unknown and duplicate fields are collected for fieldValidation.

import { canonicalQuantity, QuantityError } from '../quantity.ts'
import { emptyObject, emptyValue } from '../schema/empty.ts'
import type { Field, FieldType, ObjectType } from '../schema/schema.ts'
import { canonicalTime, TimeError } from '../time.ts'
import { base64Fault, canonicalBase64 } from './base64.ts'
import {
  type Member,
  type ParsedJson,
  RawNumber,
  STRICT_FAULTS_MAX,
  withPlainNumbers,
} from './json.ts'

/** The value does not fit the type. The message is Go's: `json: cannot unmarshal …`. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
}

/** `unknown field "spec.foo"`, `duplicate field "data.a"`, in the order of the text. */
export type StrictFaults = readonly string[]

type Json = Record<string, unknown>

const NO_FAULTS: StrictFaults = []

/**
 * Changes `parsed.value` into a proper object of `type` and returns what was strictly wrong.
 * Throws DecodeError when a value does not fit.
 */
export function decodeParsed(
  parsed: ParsedJson,
  type: ObjectType,
): { object: Json; strictFaults: StrictFaults } {
  const walk = new Walk(parsed.repeated)
  if (parsed.value === null) return { object: emptyObject(type), strictFaults: NO_FAULTS }
  if (!isObject(parsed.value)) throw walk.typeFault(parsed.value, goName(type))
  walk.object(parsed.value, type)
  if (walk.fault !== undefined) throw walk.fault
  return { object: parsed.value, strictFaults: walk.strictFaults }
}

/** The same for a value that did not come from text: the result of a patch, or of protobuf. */
export function decodeValue(
  value: unknown,
  type: ObjectType,
): { object: Json; strictFaults: StrictFaults } {
  return decodeParsed({ value, repeated: undefined }, type)
}

/** A field on the way to a value, an index of a list, or a key of a map. */
type Step = Field | number | string

class Walk {
  fault: DecodeError | undefined
  strictFaults: string[] = []
  readonly #repeated: ParsedJson['repeated']
  readonly #path: Step[] = []
  /** The innermost object, which Go's messages name. */
  #owner: ObjectType | undefined

  constructor(repeated: ParsedJson['repeated']) {
    this.#repeated = repeated
  }

  object(object: Json, type: ObjectType) {
    const outer = this.#owner
    this.#owner = type
    const members = this.#repeated?.get(object)
    if (members !== undefined) this.#repeatedMembers(object, type, members)
    else for (const name in object) this.#member(object, name, type)
    for (const field of alwaysWritten(type)) {
      if (object[field.name] === undefined) object[field.name] = emptyValue(field)
    }
    this.#owner = outer
  }

  #member(object: Json, name: string, type: ObjectType) {
    const field = type.fields.get(name)
    if (field === undefined) {
      this.#strictly('unknown', name)
      delete object[name]
      return
    }
    const value = object[name]
    this.#path.push(field)
    const decoded = this.#field(value, field)
    this.#path.pop()
    if (decoded === undefined) delete object[name]
    else if (decoded !== value) object[name] = decoded
  }

  /** Faults come in the order of the text: of a field's value first, then of its repetition. */
  #repeatedMembers(object: Json, type: ObjectType, members: readonly Member[]) {
    const seen = new Set<string>()
    const told = new Set<string>()
    for (const [name] of members) {
      if (!seen.has(name)) this.#member(object, name, type)
      else if (type.fields.has(name) && !told.has(name)) {
        told.add(name)
        this.#strictly('duplicate', name)
      }
      seen.add(name)
    }
  }

  typeFault(value: unknown, goType: string): DecodeError {
    const isInteger = goType.startsWith('int') || goType === 'float64'
    const what = describe(value, isInteger)
    const names = this.#path.flatMap((step) =>
      typeof step === 'object' ? [...step.embeddedIn, step.name] : [],
    )
    if (this.#owner === undefined) {
      return new DecodeError(`json: cannot unmarshal ${what} into Go value of type ${goType}`)
    }
    const field = `${lastPart(this.#owner.name)}.${names.join('.')}`
    return new DecodeError(
      `json: cannot unmarshal ${what} into Go struct field ${field} of type ${goType}`,
    )
  }

  /** What is kept for a field, or undefined for nothing. */
  #field(value: unknown, field: Field): unknown {
    // What our own code left out by saying undefined is as good as what a client says with null.
    if (value === null || value === undefined) {
      return field.alwaysWritten ? emptyValue(field) : undefined
    }
    const decoded = this.#value(value, field.type, field.goType)
    if (field.pointer || decoded === undefined) return decoded
    if (!isEmpty(decoded, field.type)) return decoded
    if (field.type.is === 'bytes' && field.alwaysWritten) return decoded
    return field.alwaysWritten ? emptyValue(field) : undefined
  }

  /** `goType` is the Go name of this very type, when it has one of its own. */
  #value(value: unknown, type: FieldType, goType: string | undefined): unknown {
    switch (type.is) {
      case 'string':
        return typeof value === 'string' ? value : this.#misfit(value, goType ?? 'string')
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#misfit(value, goType ?? 'bool')
      case 'int32':
      case 'int64':
        return this.#integer(value, type.is, goType ?? type.is)
      case 'double':
        return this.#double(value, goType ?? 'float64')
      case 'bytes':
        return this.#bytes(value, goType ?? '[]uint8')
      case 'time':
      case 'microtime':
        return this.#time(value, type.is)
      case 'duration':
        return typeof value === 'string' ? value : this.#misfit(value, 'string')
      case 'quantity':
        return this.#quantity(value)
      case 'intOrString':
        return this.#intOrString(value)
      case 'any':
      case 'fields':
        return withPlainNumbers(value)
      case 'list':
        return this.#list(value, type, goType)
      case 'map':
        return this.#map(value, type, goType)
      case 'object':
        return this.#part(value, type, goType)
    }
  }

  #integer(value: unknown, size: 'int32' | 'int64', goType: string): unknown {
    if (typeof value === 'number' && Number.isInteger(value)) {
      const fits = size === 'int64' || (value <= 2_147_483_647 && value >= -2_147_483_648)
      return fits ? value : this.#misfit(value, goType)
    }
    if (size === 'int64' && value instanceof RawNumber && /^-?[0-9]+$/.test(value.text)) {
      const exact = BigInt(value.text)
      if (BigInt.asIntN(64, exact) === exact) return Number(exact)
    }
    return this.#misfit(value, goType)
  }

  /** Go's own readers, here and below, end the decoding at once, whatever was before. */
  #intOrString(value: unknown): unknown {
    if (typeof value === 'string') return value
    const before = this.fault
    this.fault = undefined
    const decoded = this.#integer(value, 'int32', 'int32')
    if (this.fault !== undefined) throw this.fault
    this.fault = before
    return decoded
  }

  #double(value: unknown, goType: string): unknown {
    if (typeof value === 'number') return value
    if (!(value instanceof RawNumber)) return this.#misfit(value, goType)
    const number = Number(value.text)
    return Number.isFinite(number) ? number : this.#misfit(value, goType)
  }

  #bytes(value: unknown, goType: string): unknown {
    if (typeof value !== 'string') return this.#misfit(value, goType)
    const canonical = canonicalBase64(value)
    if (canonical !== undefined) return canonical
    this.fault ??= new DecodeError(base64Fault(value))
    return undefined
  }

  #time(value: unknown, layout: 'time' | 'microtime'): unknown {
    if (typeof value !== 'string') throw this.typeFault(value, 'string')
    try {
      return canonicalTime(value, layout)
    } catch (error) {
      if (error instanceof TimeError) throw new DecodeError(error.message)
      throw error
    }
  }

  #quantity(value: unknown): unknown {
    const text = value instanceof RawNumber ? value.text : value
    try {
      return canonicalQuantity(typeof text === 'string' ? text.trim() : JSON.stringify(text))
    } catch (error) {
      if (error instanceof QuantityError) throw new DecodeError(error.message)
      throw error
    }
  }

  #list(value: unknown, type: FieldType & { is: 'list' }, goType: string | undefined): unknown {
    if (!Array.isArray(value)) return this.#misfit(value, goType ?? goText(type))
    const itemType = goType?.startsWith('[]') ? goType.slice(2) : undefined
    for (let index = 0; index < value.length; index++) {
      const item = value[index]
      if (typeof item === 'string' && type.of.is === 'string') continue
      this.#path.push(index)
      const decoded = item === null ? emptyItem(type.of) : this.#value(item, type.of, itemType)
      this.#path.pop()
      if (decoded !== item) value[index] = decoded
    }
    return value
  }

  #map(value: unknown, type: FieldType & { is: 'map' }, goType: string | undefined): unknown {
    if (!isObject(value)) return this.#misfit(value, goType ?? goText(type))
    this.#noteRepeatedKeys(value)
    const itemType = goType?.startsWith('map[string]') ? goType.slice(11) : undefined
    for (const key in value) {
      const item = value[key]
      if (typeof item === 'string' && type.of.is === 'string') continue
      this.#path.push(key)
      const decoded = item === null ? emptyItem(type.of) : this.#value(item, type.of, itemType)
      this.#path.pop()
      if (decoded !== item) value[key] = decoded
    }
    return value
  }

  #part(value: unknown, type: FieldType & { is: 'object' }, goType: string | undefined): unknown {
    if (isObject(value)) {
      this.object(value, type.type)
      return value
    }
    if (type.or === 'bool' && typeof value === 'boolean') return value
    if (type.or === 'strings' && Array.isArray(value)) {
      return this.#list(value, { is: 'list', of: { is: 'string' } }, undefined)
    }
    if (type.or === 'list' && Array.isArray(value)) {
      return this.#list(value, { is: 'list', of: { is: 'object', type: type.type } }, undefined)
    }
    return this.#misfit(value, goType ?? goName(type.type))
  }

  #misfit(value: unknown, goType: string): undefined {
    this.fault ??= this.typeFault(value, goType)
    return undefined
  }

  #noteRepeatedKeys(map: Json) {
    const seen = new Set<string>()
    const told = new Set<string>()
    for (const [key] of this.#repeated?.get(map) ?? []) {
      if (seen.has(key) && !told.has(key)) {
        told.add(key)
        this.#strictly('duplicate', key)
      }
      seen.add(key)
    }
  }

  #strictly(what: 'unknown' | 'duplicate', name: string) {
    if (this.strictFaults.length >= STRICT_FAULTS_MAX) return
    let path = ''
    for (const step of this.#path) {
      if (typeof step === 'number') path += `[${step}]`
      else path += `${path === '' ? '' : '.'}${typeof step === 'string' ? step : step.name}`
    }
    const fault = `${what} field ${JSON.stringify(path === '' ? name : `${path}.${name}`)}`
    if (!this.strictFaults.includes(fault)) this.strictFaults.push(fault)
  }
}

const ALWAYS = new WeakMap<ObjectType, readonly Field[]>()

function alwaysWritten(type: ObjectType): readonly Field[] {
  let fields = ALWAYS.get(type)
  if (fields === undefined) {
    fields = [...type.fields.values()].filter((field) => field.alwaysWritten)
    ALWAYS.set(type, fields)
  }
  return fields
}

/** What Go leaves out of a field that is no pointer. */
function isEmpty(value: unknown, type: FieldType): boolean {
  if (type.is === 'list') return (value as unknown[]).length === 0
  if (type.is === 'map') {
    for (const _ in value as Json) return false
    return true
  }
  // Structs by value are written always, but for Go's zero time, which is null by now.
  if (type.is === 'quantity' || type.is === 'intOrString' || type.is === 'any') return false
  return value === '' || value === 0 || value === false || value === null
}

/** Null in a list or a map stands for Go's zero value. */
function emptyItem(type: FieldType): unknown {
  switch (type.is) {
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'int32':
    case 'int64':
    case 'double':
      return 0
    case 'quantity':
      return '0'
    case 'bytes':
      return ''
    case 'list':
      return []
    case 'object':
      return emptyObject(type.type)
    default:
      return null
  }
}

function isObject(value: unknown): value is Json {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RawNumber)
  )
}

/** For whole numbers Go says which number it was. */
function describe(value: unknown, isInteger: boolean): string {
  if (value instanceof RawNumber) return isInteger ? `number ${value.text}` : 'number'
  if (typeof value === 'number') return isInteger ? `number ${value}` : 'number'
  if (typeof value === 'boolean') return 'bool'
  if (Array.isArray(value)) return 'array'
  return typeof value
}

function goText(type: FieldType): string {
  switch (type.is) {
    case 'boolean':
      return 'bool'
    case 'double':
      return 'float64'
    case 'bytes':
      return '[]uint8'
    case 'time':
      return 'v1.Time'
    case 'microtime':
      return 'v1.MicroTime'
    case 'duration':
      return 'v1.Duration'
    case 'quantity':
      return 'resource.Quantity'
    case 'intOrString':
      return 'intstr.IntOrString'
    case 'any':
      return 'runtime.RawExtension'
    case 'fields':
      return 'v1.FieldsV1'
    case 'list':
      return `[]${goText(type.of)}`
    case 'map':
      return `map[string]${goText(type.of)}`
    case 'object':
      return goName(type.type)
    default:
      return type.is
  }
}

/** io.k8s.api.core.v1.Container is v1.Container in Go. */
function goName(type: ObjectType): string {
  return type.name.split('.').slice(-2).join('.')
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
