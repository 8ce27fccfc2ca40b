// OpenAPI 2.0: one document for everything. For clients that do not know version 3.

import type { Registry } from '../../api/registry.ts'
import {
  type Operation,
  type Parameter,
  type PathItem,
  pathItems,
  typesOf,
} from './openapi-operations.ts'
import {
  customSchemas,
  type Describe,
  reference,
  type Schema,
  schemasOf,
} from './openapi-schemas.ts'
import { BEARER_TOKEN, documentsOf, INFO, STRATEGIC } from './openapi-v3.ts'

const ANSWERS = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const STREAMS = [
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
]
const PATCHES = [
  ...['application/json-patch+json', 'application/merge-patch+json'],
  ...['application/strategic-merge-patch+json', 'application/apply-patch+yaml'],
]
const REASONS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' }

export type Swagger = {
  swagger: '2.0'
  info: typeof INFO
  paths: Record<string, Schema>
  definitions: Record<string, Schema>
  securityDefinitions: Record<string, Schema>
  security: readonly Record<string, readonly string[]>[]
}

/** /openapi/v2 */
export function openApiV2(registry: Registry, describe: Describe): Swagger {
  const documents = documentsOf(registry)
  const items = documents.flatMap(({ group, of }) => pathItems(group, of))
  const groupVersions = documents.map(({ group, of }) => ({ group, version: of.version }))
  const custom = customSchemas(registry.rows, 'v2')
  return {
    swagger: '2.0',
    info: INFO,
    paths: Object.fromEntries(items.map((item) => [item.path, pathSchema(item)])),
    definitions: schemasOf(typesOf(items), { dialect: 'v2', describe, groupVersions, custom }),
    securityDefinitions: { BearerToken: BEARER_TOKEN },
    security: [{ BearerToken: [] }],
  }
}

function pathSchema({ parameters, operations }: PathItem): Schema {
  const schemas = operations.map((operation) => [operation.method, operationSchema(operation)])
  return { ...Object.fromEntries(schemas), parameters: parameters.map(parameterSchema) }
}

function operationSchema(operation: Operation): Schema {
  const { method, tag, id, parameters, body, codes, action, kind, answers } = operation
  const bodyParameter = body && {
    name: 'body',
    in: 'body',
    ...(body.required ? { required: true } : {}),
    schema: reference(body.type, 'v2'),
  }
  const patches = operation.isCustom ? PATCHES.filter((type) => type !== STRATEGIC) : PATCHES
  const schema = answers === undefined ? { type: 'string' } : reference(answers, 'v2')
  const responses = codes.map((code) => [code, { description: REASONS[code], schema }])
  const streams = action === 'list' ? STREAMS : []
  const all = [...(bodyParameter ? [bodyParameter] : []), ...parameters.map(parameterSchema)]
  return {
    consumes: method === 'patch' && body ? patches : ['*/*'],
    produces: answers === undefined ? ['*/*'] : [...ANSWERS, ...streams],
    schemes: ['https'],
    tags: [tag],
    operationId: id,
    ...(all.length === 0 ? {} : { parameters: all }),
    responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

function parameterSchema({ name, in: place, type }: Parameter): Schema {
  return {
    name,
    in: place,
    type,
    uniqueItems: true,
    ...(place === 'path' ? { required: true } : {}),
  }
}
