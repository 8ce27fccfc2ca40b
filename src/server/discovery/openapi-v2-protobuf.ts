// OpenAPI 2.0 in protobuf, for clients that ask for nothing else (gnostic,
// openapiv2/OpenAPIv2.proto).
//
// As all messages here, these are written from their end: the highest field number first.

import { ProtobufWriter } from '../../api/codec/protobuf-writer.ts'
import type { Schema } from './openapi-schemas.ts'
import type { Swagger } from './openapi-v2.ts'

export function openApiV2Protobuf(document: Swagger): Uint8Array {
  return new SwaggerWriter(new ProtobufWriter(INITIAL_BYTES)).document(document)
}

/** The document of the built-in kinds takes about two megabytes with its descriptions. */
const INITIAL_BYTES = 1024 * 1024

/** Numbers of the operations in a PathItem. */
const METHODS: readonly (readonly [method: string, number: number])[] = [
  ...([
    ['patch', 8],
    ['delete', 5],
    ['post', 4],
    ['put', 3],
    ['get', 2],
  ] as const),
]

class SwaggerWriter {
  readonly #writer: ProtobufWriter

  constructor(writer: ProtobufWriter) {
    this.#writer = writer
  }

  document(document: Swagger): Uint8Array {
    const { info, paths, definitions, security, securityDefinitions } = document
    this.#part(13, () =>
      this.#entries(1, securityDefinitions, (item) => this.#part(2, () => this.#apiKey(item))),
    )
    this.#each(security, (requirement) =>
      this.#part(12, () => this.#entries(1, requirement, (scopes) => this.#texts(1, scopes))),
    )
    this.#part(9, () => this.#entries(1, definitions, (schema) => this.#schema(schema)))
    this.#part(8, () => this.#entries(2, paths, (item) => this.#path(item)))
    this.#part(2, () => {
      this.#writer.text(2, info.version)
      this.#writer.text(1, info.title)
    })
    this.#writer.text(1, document.swagger)
    return this.#writer.finish()
  }

  #apiKey({ type, name, in: place, description }: Schema) {
    this.#text(4, description)
    this.#text(3, place)
    this.#text(2, name)
    this.#text(1, type)
  }

  #path(item: Schema) {
    this.#each(item.parameters, (parameter) => this.#part(9, () => this.#parameter(parameter)))
    for (const [method, number] of METHODS) {
      const operation = item[method]
      if (operation !== undefined) this.#part(number, () => this.#operation(operation as Schema))
    }
  }

  #operation(operation: Schema) {
    this.#extensions(13, operation)
    this.#texts(10, operation.schemes)
    this.#part(9, () =>
      this.#entries(1, operation.responses, (response) =>
        this.#part(1, () => {
          const { schema } = response
          if (schema !== undefined) {
            this.#part(2, () => this.#part(1, () => this.#schema(schema as Schema)))
          }
          this.#text(1, response.description)
        }),
      ),
    )
    this.#each(operation.parameters, (parameter) => this.#part(8, () => this.#parameter(parameter)))
    this.#texts(7, operation.consumes)
    this.#texts(6, operation.produces)
    this.#text(5, operation.operationId)
    this.#texts(1, operation.tags)
  }

  /** ParametersItem { Parameter { BodyParameter or NonBodyParameter { query or path } } } */
  #parameter(parameter: Schema) {
    if (parameter.in === 'body') {
      return this.#part(1, () => this.#part(1, () => this.#bodyParameter(parameter)))
    }
    const isQuery = parameter.in === 'query'
    this.#part(1, () =>
      this.#part(2, () =>
        this.#part(isQuery ? 3 : 4, () => {
          if (parameter.uniqueItems) this.#writer.integer(isQuery ? 20 : 19, 1)
          this.#text(isQuery ? 6 : 5, parameter.type)
          this.#text(4, parameter.name)
          this.#text(2, parameter.in)
          if (parameter.required) this.#writer.integer(1, 1)
        }),
      ),
    )
  }

  #bodyParameter({ schema, required, in: place, name }: Schema) {
    this.#part(5, () => this.#schema(schema as Schema))
    if (required) this.#writer.integer(4, 1)
    this.#text(3, place)
    this.#text(2, name)
  }

  #schema(schema: Schema) {
    const { properties, items, type, additionalProperties } = schema
    this.#extensions(31, schema)
    if (properties !== undefined) {
      this.#part(25, () => this.#entries(1, properties, (property) => this.#schema(property)))
    }
    if (items !== undefined) {
      this.#part(23, () => this.#part(1, () => this.#schema(items as Schema)))
    }
    if (type !== undefined) this.#part(22, () => this.#text(1, type))
    if (additionalProperties !== undefined) {
      this.#part(21, () => this.#part(1, () => this.#schema(additionalProperties as Schema)))
    }
    this.#each(schema.enum, (value) => this.#any(20, value))
    this.#texts(19, schema.required)
    this.#text(4, schema.description)
    this.#text(2, schema.format)
    this.#text(1, schema.$ref)
  }

  /** Everything that begins with `x-`, as NamedAny. */
  #extensions(number: number, schema: Schema) {
    const extensions = Object.entries(schema).filter(([name]) => name.startsWith('x-'))
    for (const [name, value] of extensions.reverse()) {
      this.#part(number, () => {
        this.#any(2, value)
        this.#writer.text(1, name)
      })
    }
  }

  /** Any holds YAML, and JSON is YAML. */
  #any(number: number, value: unknown) {
    this.#part(number, () => this.#writer.text(2, `${JSON.stringify(value)}\n`))
  }

  /** The named values of an object: { 1 name, 2 value }. */
  #entries(number: number, object: unknown, write: (value: Schema) => void) {
    for (const [name, value] of Object.entries(object as Record<string, Schema>).reverse()) {
      this.#part(number, () => {
        this.#part(2, () => write(value))
        this.#writer.text(1, name)
      })
    }
  }

  #each(list: unknown, write: (item: Schema) => void) {
    for (const item of ((list as Schema[] | undefined) ?? []).toReversed()) write(item)
  }

  #texts(number: number, list: unknown) {
    for (const text of ((list as string[] | undefined) ?? []).toReversed()) {
      this.#writer.text(number, text)
    }
  }

  #text(number: number, text: unknown) {
    if (text !== undefined) this.#writer.text(number, text as string)
  }

  #part(number: number, write: () => void) {
    const before = this.#writer.length
    write()
    this.#writer.part(number, before)
  }
}
