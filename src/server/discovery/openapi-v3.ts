// OpenAPI 3.0: one document for each group version.
//
// kubectl looks here before it writes: for the PATCH of the kind, which must have `fieldValidation`
// among its own parameters, and for the patch keys of the types.

import type { ApiGroupVersion, Registry } from '../../api/registry.ts'
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

const WATCH_EVENT = 'io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent'
const WATCHABLE = ['application/json', 'application/vnd.kubernetes.protobuf']
const ANSWERS = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml']
const PATCHES = [
  ...['application/apply-patch+yaml', 'application/json-patch+json'],
  ...['application/merge-patch+json', 'application/strategic-merge-patch+json'],
]
/** kubectl sends no such patch to what does not name it. */
export const STRATEGIC = 'application/strategic-merge-patch+json'
const REASONS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' }

export const INFO = { title: 'Kubernetes', version: '1.36' }
export const BEARER_TOKEN = {
  type: 'apiKey',
  description: 'Bearer Token authentication',
  name: 'authorization',
  in: 'header',
}

/** `api/v1`, `apis/apps/v1`: how the index calls the document of a group version. */
function documentName(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

/** The names of all documents with what they are about. */
export function documentsOf(registry: Registry) {
  return registry
    .groups()
    .flatMap(({ name: group, versions }) =>
      versions.map((of) => ({ name: documentName(group, of.version), group, of })),
    )
}

/** /openapi/v3/{name} */
export function openApiV3(group: string, of: ApiGroupVersion, describe: Describe) {
  const items = pathItems(group, of)
  const groupVersions = [{ group, version: of.version }]
  const custom = customSchemas(of.rows, 'v3')
  const types = typesOf(items)
  // Upstream describes neither watches of custom resources nor how to prove who asks.
  const isCustom = of.rows.every((row) => row.custom !== undefined)
  if (isCustom) types.delete(WATCH_EVENT)
  const schemas = schemasOf(types, { dialect: 'v3', describe, groupVersions, custom })
  return {
    openapi: '3.0.0',
    info: INFO,
    paths: Object.fromEntries(items.map((item) => [item.path, pathSchema(item)])),
    components: isCustom
      ? { schemas }
      : { schemas, securitySchemes: { BearerToken: BEARER_TOKEN } },
  }
}

function pathSchema({ parameters, operations }: PathItem): Schema {
  const schemas = operations.map((operation) => [operation.method, operationSchema(operation)])
  return { ...Object.fromEntries(schemas), parameters: parameters.map(parameterSchema) }
}

function operationSchema(operation: Operation): Schema {
  const { tag, id, parameters, body, codes, action, kind } = operation
  const isPatch = operation.method === 'patch' && body !== undefined
  const patches = operation.isCustom ? PATCHES.filter((type) => type !== STRATEGIC) : PATCHES
  const responses = codes.map((code) => [
    code,
    { description: REASONS[code], ...answer(operation) },
  ])
  return {
    tags: [tag],
    operationId: id,
    ...(parameters.length === 0 ? {} : { parameters: parameters.map(parameterSchema) }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            content: contentOf(isPatch ? patches : ['*/*'], reference(body.type, 'v3')),
            ...(body.required ? { required: true } : {}),
          },
        }),
    responses: { ...Object.fromEntries(responses), 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

function answer({ answers, action }: Operation): Schema {
  if (answers === undefined) {
    const types = action === 'connect' ? ['*/*'] : [...ANSWERS, 'text/plain']
    return { content: contentOf(types, { type: 'string' }) }
  }
  const streams = action === 'list' ? WATCHABLE.map((type) => `${type};stream=watch`) : []
  return { content: contentOf([...ANSWERS, ...streams].toSorted(), reference(answers, 'v3')) }
}

function contentOf(types: readonly string[], schema: Schema): Schema {
  return Object.fromEntries(types.map((type) => [type, { schema }]))
}

function parameterSchema({ name, in: place, type }: Parameter): Schema {
  return {
    name,
    in: place,
    ...(place === 'path' ? { required: true } : {}),
    schema: { type, uniqueItems: true },
  }
}
