// The shape of every type, from the generated facts: fields, list keys, patch keys, numbers.
//
// Everything that must know a type walks these values: defaulting, pruning, field validation,
// strategic merge, server-side apply, protobuf, OpenAPI.

export type FieldType =
  | { readonly is: ScalarName }
  | { readonly is: 'object'; readonly type: ObjectType }
  | { readonly is: 'list'; readonly of: FieldType }
  | { readonly is: 'map'; readonly of: FieldType }

/**
 * `bytes` is base64 text, `time` RFC 3339 to the second, `microtime` with six digits, `any` any JSON
 * (RawExtension), `fields` a FieldsV1.
 */
export type ScalarName =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'time'
  | 'microtime'
  | 'quantity'
  | 'intOrString'
  | 'any'
  | 'fields'

export type ListType = 'atomic' | 'set' | 'map'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly required: boolean
  /** A pointer in Go: zero values and absence differ, and zero values are kept. */
  readonly pointer: boolean
  /** Written even when empty: a Go field without omitempty, or a struct by value. */
  readonly alwaysWritten: boolean
  readonly listType: ListType | undefined
  readonly listMapKeys: readonly string[]
  /** A map or object that server-side apply treats as one value. */
  readonly atomicMap: boolean
  readonly patchStrategy: readonly ('merge' | 'replace' | 'retainKeys')[]
  readonly patchMergeKey: string | undefined
  readonly enum: readonly string[] | undefined
  readonly default: unknown
  readonly protobufNumber: number
}

export interface ObjectType {
  /** As in OpenAPI: io.k8s.api.core.v1.Pod. */
  readonly name: string
  readonly fields: ReadonlyMap<string, Field>
  /** The whole object is one value for server-side apply. */
  readonly atomic: boolean
}
