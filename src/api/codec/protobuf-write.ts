// JSON objects to protobuf, by the schema.
//
// Messages are written from their end to their beginning: when the length of a part has to be
// written, the part is there already. Empty values that are no pointers are left out; every reader
// takes that for the same.

import { parseDuration } from '../duration.ts'
import { type Field, type FieldType, type ObjectType, typeOfKind } from '../schema/schema.ts'
import { parseTime } from '../time.ts'
import { goJson } from './go-json.ts'
import { type MessagePlan, messagePlan } from './protobuf-plan.ts'
import { MAGIC } from './protobuf-read.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

type Json = Record<string, unknown>

/** The object in its envelope (`k8s\0`), as clients that ask for protobuf get it. */
export function encodeEnvelope(
  object: object,
  type: ObjectType,
  kind: { apiVersion: string; kind: string },
): Uint8Array {
  const writer = new ProtobufWriter()
  // Fields 3 and 4, content encoding and type, are always written by Go, and empty.
  writer.text(4, '')
  writer.text(3, '')
  const afterRaw = writer.length
  new MessageWriter(writer).object(object as Json, messagePlan(type))
  writer.part(2, afterRaw)
  const afterMeta = writer.length
  writer.text(2, kind.kind)
  writer.text(1, kind.apiVersion)
  writer.part(1, afterMeta)
  writer.raw(MAGIC)
  return writer.finish()
}

/** The object in its envelope, or undefined when its kind has no form in protobuf (Table). */
export function encodeKnown(object: object): Uint8Array | undefined {
  const { apiVersion = '', kind = '' } = object as { apiVersion?: string; kind?: string }
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  const type = typeOfKind({ group, version, kind })
  return type && hasNumbers(type) ? encodeEnvelope(object, type, { apiVersion, kind }) : undefined
}

function hasNumbers(type: ObjectType): boolean {
  return type.fields.values().some((field) => field.protobufNumber > 0)
}

/**
 * One event of a watch in protobuf: its length in four bytes, then a WatchEvent around the object,
 * which is in its envelope.
 */
export function encodeWatchFrame(type: string, envelope: Uint8Array): Uint8Array {
  const writer = new ProtobufWriter(envelope.length + 64)
  writer.raw(envelope)
  writer.part(1, 0)
  writer.part(2, 0)
  writer.text(1, type)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(writer.length)
  writer.raw(length)
  return writer.finish()
}

class MessageWriter {
  readonly #writer: ProtobufWriter

  constructor(writer: ProtobufWriter) {
    this.#writer = writer
  }

  object(object: Json, plan: MessagePlan) {
    for (const { number, field, embedded } of plan.descending) {
      if (embedded !== undefined) this.#embedded(object, number, embedded)
      else this.#field(object[field!.name], field!, number)
    }
  }

  #embedded(object: Json, number: number, plan: MessagePlan) {
    const before = this.#writer.length
    this.object(object, plan)
    if (this.#writer.length > before) this.#writer.part(number, before)
  }

  #field(value: unknown, field: Field, number: number) {
    if (value === undefined || value === null) return
    const isEmpty = value === '' || value === 0 || value === false
    if (isEmpty && !field.pointer && isScalar(field.type)) return
    const { type } = field
    if (type.is === 'map') this.#map(value as Json, type.of, number)
    else if (type.is === 'list' && !type.wrapped) this.#list(value as unknown[], type.of, number)
    else this.#value(value, type, number)
  }

  #list(list: readonly unknown[], of: FieldType, number: number) {
    for (let index = list.length - 1; index >= 0; index--) this.#value(list[index], of, number)
  }

  #map(map: Json, of: FieldType, number: number) {
    for (const key of Object.keys(map).toSorted().reverse()) {
      const before = this.#writer.length
      this.#value(map[key], of, 2)
      this.#writer.text(1, key)
      this.#writer.part(number, before)
    }
  }

  #value(value: unknown, type: FieldType, number: number) {
    const writer = this.#writer
    if (value === null || value === undefined) return
    switch (type.is) {
      case 'string':
        return writer.text(number, value as string)
      case 'boolean':
        return writer.integer(number, value ? 1 : 0)
      case 'int32':
      case 'int64':
        return writer.integer(number, value as number)
      case 'double':
        return writer.double(number, value as number)
      case 'bytes':
        return writer.bytes(number, Buffer.from(value as string, 'base64'))
    }
    const before = writer.length
    if (type.is === 'object') this.#object(value, type)
    else if (type.is === 'list') this.#list(value as unknown[], type.of, 1)
    else this.#scalarMessage(value, type.is)
    writer.part(number, before)
  }

  #object(value: unknown, { type, or }: FieldType & { is: 'object' }) {
    if (or === undefined) return this.object(value as Json, messagePlan(type))
    const isObject = typeof value === 'object' && !Array.isArray(value)
    const before = this.#writer.length
    if (isObject) {
      this.object(value as Json, messagePlan(type))
      this.#writer.part(or === 'bool' ? 2 : 1, before)
      // Go holds "allowed" beside every schema.
      if (or === 'bool') this.#writer.integer(1, 1)
    } else if (or === 'bool') this.#writer.integer(1, value ? 1 : 0)
    else if (or === 'strings') this.#list(value as unknown[], { is: 'string' }, 2)
    else this.#list(value as unknown[], { is: 'object', type }, 2)
  }

  /** Scalars of JSON that are messages here; see protobuf-read.ts. */
  #scalarMessage(value: unknown, kind: FieldType['is']) {
    const writer = this.#writer
    switch (kind) {
      case 'quantity':
        return writer.text(1, String(value))
      case 'intOrString':
        if (typeof value === 'string') writer.text(3, value)
        else writer.integer(2, value as number)
        return writer.integer(1, typeof value === 'string' ? 1 : 0)
      case 'time':
      case 'microtime': {
        const ms = parseTime(value as string, kind)
        const seconds = Math.floor(ms / 1000)
        // Microseconds are exact in a double, nanoseconds are not.
        writer.integer(2, Math.round((ms - seconds * 1000) * 1000) * 1000)
        return writer.integer(1, seconds)
      }
      case 'duration':
        return writer.integer(1, Math.round(parseDuration(value as string) * 1e6))
      default:
        // Revisions of workloads are compared byte by byte with what Go makes of their template.
        return writer.text(1, goJson(value))
    }
  }
}

/** What is left out when it is empty: Go's reader makes the same of nothing. */
function isScalar(type: FieldType): boolean {
  return !['intOrString', 'any', 'object', 'bytes'].includes(type.is)
}
