// Protobuf to JSON objects, by the schema. What comes out still has to go through decodeValue,
// which drops the empty values that Go always writes and makes the rest canonical.

import { formatDuration } from '../duration.ts'
import { type FieldType, type ObjectType, objectType, typeOfKind } from '../schema/schema.ts'
import { formatMicroTime, formatTime } from '../time.ts'
import { type MessagePlan, messagePlan } from './protobuf-plan.ts'

/** The bytes are no message of the type. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

type Json = Record<string, unknown>

/** What `runtime.Unknown` says of the object within. */
export type Envelope = {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
  readonly contentEncoding: string
  readonly contentType: string
}

export const MAGIC = Buffer.from('k8s\0')

/** Messages nest no deeper than this; only a schema of a schema comes near. */
const DEPTH_MAX = 200

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** Throws ProtobufError when the bytes do not begin with the magic number. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ProtobufError(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    )
  }
  const reader = new Reader(buffer, MAGIC.length)
  const envelope = { apiVersion: '', kind: '', contentEncoding: '', contentType: '' }
  let raw: Uint8Array = buffer.subarray(0, 0)
  reader.message(buffer.length, (number, wire) => {
    if (number === 1 && wire === BYTES) {
      reader.message(reader.end(), (inner) => {
        if (inner === 1) envelope.apiVersion = reader.text()
        else if (inner === 2) envelope.kind = reader.text()
        else return false
        return true
      })
    } else if (number === 2) raw = reader.bytes()
    else if (number === 3) envelope.contentEncoding = reader.text()
    else if (number === 4) envelope.contentType = reader.text()
    else return false
    return true
  })
  return { ...envelope, raw }
}

/** A message without envelope. Throws ProtobufError. */
export function readMessage(bytes: Uint8Array, type: ObjectType): Json {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const reader = new Reader(buffer, 0)
  return new MessageReader(reader).object(messagePlan(type), buffer.length)
}

/**
 * A body in its envelope, with kind and apiVersion like JSON has them. What is not of the kind that
 * is `expected` and not known either stays empty: then its kind is the fault. Throws ProtobufError.
 */
export function readEnvelopedBody(
  bytes: Uint8Array,
  expected: { kind: string; type: string },
): Json {
  const { apiVersion, kind, raw } = readEnvelope(bytes)
  const isExpected = kind === '' || kind === expected.kind
  const type = isExpected ? objectType(expected.type) : typeOfEnvelope(apiVersion, kind)
  return { kind, apiVersion, ...(type === undefined ? {} : readMessage(raw, type)) }
}

class MessageReader {
  readonly #reader: Reader
  #depth = 0

  constructor(reader: Reader) {
    this.#reader = reader
  }

  object(plan: MessagePlan, end: number, target: Json = {}): Json {
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new ProtobufError('proto: messages nest too deeply')
    this.#reader.message(end, (number, wire) => {
      const entry = plan.byNumber.get(number)
      if (entry === undefined) return false
      if (entry.embedded !== undefined) {
        this.object(entry.embedded, this.#reader.end(), target)
        return true
      }
      const { name, type } = entry.field!
      target[name] = this.#field(target[name], type, wire)
      return true
    })
    this.#depth -= 1
    return target
  }

  /** The new value of a field that held `before`: lists and maps grow by one entry at a time. */
  #field(before: unknown, type: FieldType, wire: number): unknown {
    if (type.is === 'map') return this.#entry((before as Json | undefined) ?? {}, type.of)
    if (type.is !== 'list' || type.wrapped) return this.#value(type, wire)
    const list = (before as unknown[] | undefined) ?? []
    if (wire === BYTES && isNumeric(type.of)) {
      const end = this.#reader.end()
      while (this.#reader.at < end) list.push(this.#value(type.of, VARINT))
    } else {
      list.push(this.#value(type.of, wire))
    }
    return list
  }

  #entry(map: Json, type: FieldType): Json {
    let key = ''
    let value: unknown
    this.#reader.message(this.#reader.end(), (number, wire) => {
      if (number === 1) key = this.#reader.text()
      else if (number === 2) value = this.#value(type, wire)
      else return false
      return true
    })
    // Assignment would set the prototype for a key that a person may well choose.
    Object.defineProperty(map, key, {
      value: value ?? emptyEntry(type),
      enumerable: true,
      writable: true,
      configurable: true,
    })
    return map
  }

  #value(type: FieldType, wire: number): unknown {
    const reader = this.#reader
    switch (type.is) {
      case 'string':
        return reader.text()
      case 'boolean':
        return reader.varint() !== 0
      case 'int32':
      case 'int64':
        return reader.varint()
      case 'double':
        return wire === FIXED64 ? reader.double() : reader.varint()
      case 'bytes':
        return Buffer.from(reader.bytes()).toString('base64')
      case 'object':
        return this.#object(type)
      case 'list':
        return this.#wrapped(type)
      case 'map':
        throw new ProtobufError('proto: a map within a map or list')
      default:
        return this.#scalarMessage(type.is)
    }
  }

  #object(type: FieldType & { is: 'object' }): unknown {
    if (type.or === undefined) return this.object(messagePlan(type.type), this.#reader.end())
    return this.#alternative(type)
  }

  /**
   * JSONSchemaPropsOrBool {allows, schema}, OrArray {schema, schemas}, OrStringArray {schema, …}.
   */
  #alternative({ type, or }: FieldType & { is: 'object' }): unknown {
    let object: Json | undefined
    let allows = false
    const list: unknown[] = []
    const schemaNumber = or === 'bool' ? 2 : 1
    this.#reader.message(this.#reader.end(), (number) => {
      if (number === schemaNumber) {
        object = this.object(messagePlan(type), this.#reader.end())
      } else if (or === 'bool') allows = this.#reader.varint() !== 0
      else if (or === 'list') list.push(this.object(messagePlan(type), this.#reader.end()))
      else list.push(this.#reader.text())
      return true
    })
    return object ?? (or === 'bool' ? allows : list)
  }

  #wrapped(type: FieldType & { is: 'list' }): unknown[] {
    const list: unknown[] = []
    this.#reader.message(this.#reader.end(), (number, wire) => {
      if (number !== 1) return false
      list.push(this.#value(type.of, wire))
      return true
    })
    return list
  }

  /** Scalars of JSON that are messages here. */
  #scalarMessage(kind: Exclude<FieldType['is'], 'object' | 'list' | 'map'>): unknown {
    const numbers: number[] = []
    const texts: Uint8Array[] = []
    const end = this.#reader.end()
    if (this.#reader.at === end && (kind === 'time' || kind === 'microtime')) return null
    this.#reader.message(end, (number, wire) => {
      if (wire === VARINT) numbers[number] = this.#reader.varint()
      else if (wire === BYTES) texts[number] = this.#reader.bytes()
      else return false
      return true
    })
    const text = (number: number) => Buffer.from(texts[number] ?? []).toString()
    switch (kind) {
      case 'quantity':
        return text(1) || '0'
      case 'intOrString':
        return numbers[1] === 1 ? text(3) : (numbers[2] ?? 0)
      case 'time':
        return formatTime((numbers[1] ?? 0) * 1000)
      case 'microtime':
        return formatMicroTime(
          (numbers[1] ?? 0) * 1000 + Math.trunc((numbers[2] ?? 0) / 1000) / 1000,
        )
      case 'duration':
        return formatDuration((numbers[1] ?? 0) / 1e6)
      default:
        return rawValue(texts[1])
    }
  }
}

/** RawExtension, JSON and FieldsV1 hold JSON text, or another envelope. */
function rawValue(raw: Uint8Array | undefined): unknown {
  if (raw === undefined || raw.length === 0) return null
  if (Buffer.from(raw.subarray(0, MAGIC.length)).equals(MAGIC)) return envelopedValue(raw)
  try {
    return JSON.parse(Buffer.from(raw).toString())
  } catch (cause) {
    throw new ProtobufError('proto: raw data is no JSON', { cause })
  }
}

function envelopedValue(raw: Uint8Array): unknown {
  const { apiVersion, kind, raw: message } = readEnvelope(raw)
  const type = typeOfEnvelope(apiVersion, kind)
  if (type === undefined) throw new ProtobufError(`proto: no kind ${kind} in ${apiVersion}`)
  return { kind, apiVersion, ...readMessage(message, type) }
}

function typeOfEnvelope(apiVersion: string, kind: string): ObjectType | undefined {
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  return typeOfKind({ group, version, kind })
}

function isNumeric(type: FieldType): boolean {
  return type.is === 'int32' || type.is === 'int64' || type.is === 'boolean'
}

/** Go may leave out the value of an entry when it is empty. */
function emptyEntry(type: FieldType): unknown {
  if (type.is === 'string' || type.is === 'bytes') return ''
  if (type.is === 'list') return []
  if (type.is === 'boolean') return false
  return isNumeric(type) ? 0 : null
}

/** Reads the parts of messages, and never beyond the end of the innermost one. */
class Reader {
  readonly #buffer: Buffer
  at: number
  #end: number

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer
    this.at = at
    this.#end = buffer.length
  }

  /** Calls `read` for each field up to `end`; fields that it returns false for are skipped. */
  message(end: number, read: (number: number, wire: number) => boolean) {
    const outerEnd = this.#end
    this.#end = end
    while (this.at < end) {
      const tag = this.varint()
      const [number, wire] = [tag >>> 3, tag & 7]
      if (!read(number, wire)) this.#skip(wire)
    }
    if (this.at !== end) throw truncated()
    this.#end = outerEnd
  }

  /** Reads the length of what follows; returns where it ends. */
  end(): number {
    const length = this.varint()
    const end = this.at + length
    if (length < 0 || end > this.#end) throw truncated()
    return end
  }

  bytes(): Uint8Array {
    const end = this.end()
    const bytes = this.#buffer.subarray(this.at, end)
    this.at = end
    return bytes
  }

  text(): string {
    const end = this.end()
    const text = this.#buffer.toString('utf8', this.at, end)
    this.at = end
    return text
  }

  double(): number {
    if (this.at + 8 > this.#end) throw truncated()
    const value = this.#buffer.readDoubleLE(this.at)
    this.at += 8
    return value
  }

  /** Negative numbers have ten bytes. Beyond 2^53 the nearest double. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.#end) throw truncated()
      const byte = this.#buffer[this.at]!
      this.at += 1
      if (byte < 0x80) {
        if (count < 9) return value + byte * scale
        return this.#negative()
      }
      value += (byte & 0x7f) * scale
      scale *= 128
    }
    throw new ProtobufError('proto: integer overflow')
  }

  /** The ten bytes before this point as a number of two's complement. */
  #negative(): number {
    let value = 0n
    for (let index = 9; index >= 0; index--) {
      value = (value << 7n) | BigInt(this.#buffer[this.at - 10 + index]! & 0x7f)
    }
    return Number(BigInt.asIntN(64, value))
  }

  #skip(wire: number) {
    if (wire === VARINT) this.varint()
    else if (wire === BYTES) this.at = this.end()
    else if (wire === FIXED64) this.at += 8
    else if (wire === FIXED32) this.at += 4
    else throw new ProtobufError(`proto: illegal wireType ${wire}`)
    if (this.at > this.#end) throw truncated()
  }
}

function truncated(): ProtobufError {
  return new ProtobufError('unexpected EOF')
}
