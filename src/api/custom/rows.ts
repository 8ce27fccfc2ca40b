// The rows that a definition adds to the registry: one for each version that is served. They are
// rows like any other; what is special about them stands here.

import { DecodeError } from '../codec/decode.ts'
import { duplicatePaths, type ParsedJson, plainJson } from '../codec/json.ts'
import type { AnyObject, KubeObject } from '../object.ts'
import type { JsonObject } from '../patch/value.ts'
import { isObject } from '../patch/value.ts'
import { compareVersions } from '../registry.ts'
import { type AnyRow, defineResource, type PartResource, type ResourceRow } from '../resource.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../schema/generated/types.ts'
import { ApiError, fieldError } from '../status.ts'
import { columnsOf, selectableOf } from './columns.ts'
import { fillDefaults } from './defaulting.ts'
import { customObjectType } from './object-type.ts'
import { modelName, type PublishedKind, publishedSchemas } from './openapi.ts'
import { coerceEmbedded, decodeMetadata, EmbeddedError, pruneNulls, pruneUnknown } from './prune.ts'
import { rulesOf, statusRulesOf, warningsOf } from './rules.ts'
import type { Props } from './schema.ts'

/** What changes about rows while they are served. */
export type Serving = {
  /** Nothing new is made any more. */
  isTerminating: boolean
  /** What was written after this revision is in order by the definition as it is now. */
  readonly sinceRevision: number
}

const VERBS: AnyRow['verbs'] = [
  ...(['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update'] as const),
  'watch',
]

/** `definition` has accepted names. */
export function rowsOf(definition: CustomResourceDefinition, serving: Serving): AnyRow[] {
  const { versions } = definition.spec
  const stored = versions.find(({ storage }) => storage)
  if (stored === undefined) return []
  const context = new Definition(definition, stored, serving)
  return versions.filter(({ served }) => served).map((version) => rowOf(context, version))
}

/** What the rows of one definition share. */
class Definition {
  readonly definition: CustomResourceDefinition
  readonly stored: CustomResourceDefinitionVersion
  readonly serving: Serving
  readonly #schemas: ReadonlyMap<string, Props | undefined>

  constructor(
    definition: CustomResourceDefinition,
    stored: CustomResourceDefinitionVersion,
    serving: Serving,
  ) {
    this.definition = definition
    this.stored = stored
    this.serving = serving
    this.#schemas = new Map(
      definition.spec.versions.map(({ name, schema }) => [name, schema?.openAPIV3Schema]),
    )
  }

  schema(version: string): Props | undefined {
    return this.#schemas.get(version)
  }

  /** Drops what `version` does not know, in place. Returns the paths of it. */
  tidy(object: JsonObject, version: string): string[] {
    const schema = this.schema(version)
    if (this.definition.spec.preserveUnknownFields) return []
    const unknown = pruneUnknown(object, schema ?? {})
    pruneNulls(object, schema)
    return unknown
  }

  /**
   * An object in another version, without the defaults of that. Throws where a webhook would have
   * to be asked.
   */
  converted(object: AnyObject, version: string): AnyObject {
    const { group, conversion } = this.definition.spec
    const from = object.apiVersion!.replace(/^.*\//, '')
    if (from === version) return object
    if (conversion?.strategy === 'Webhook') {
      const kind = `${object.apiVersion}, Kind=${object.kind}`
      throw new ApiError(500, 'InternalError', `conversion webhook for ${kind} is not called`)
    }
    const result = { ...object, apiVersion: `${group}/${version}` }
    this.tidy(result, version)
    return result
  }
}

function rowOf(context: Definition, version: CustomResourceDefinitionVersion): AnyRow {
  const { definition, serving, stored } = context
  const { spec, status } = definition
  const names = { ...spec.names, ...status?.acceptedNames }
  const schema = context.schema(version.name)
  const { group } = spec
  const kind = { group, version: version.name, kind: names.kind }
  const type = modelName(kind)
  const isStored = version === stored
  const published = (): PublishedKind => ({ definition, version, names })
  const row = defineResource<KubeObject>({
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? '',
    scope: spec.scope === 'Cluster' ? 'Cluster' : 'Namespaced',
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: VERBS,
    type,
    schema: once(() => customObjectType(type, kind, schema)),
    storagePrefix: `${group}/${names.plural}`,
    ...(isStored ? {} : { toStored: (object) => toStored(context, object as AnyObject) }),
    fromStored: (object) => fromStored(context, object as AnyObject, version.name),
    generationOf: ({ metadata: _metadata, ...rest }) => rest,
    defaults: (object) => fillDefaults(object, schema),
    rules: rulesOf(version),
    warnings: warningsOf,
    deprecation: deprecationOf(definition, version),
    freeFinalizers: true,
    selectable: selectableOf(version),
    columns: columnsOf(version),
    unconditionalUpdate: false,
    custom: {
      decode: (parsed) => decode(context, version.name, parsed),
      readsAsIs: (revision) => isStored && revision > serving.sinceRevision,
      get isTerminating() {
        return serving.isTerminating
      },
      storedVersion: stored.name,
      schemas: (dialect) => publishedSchemas(published(), dialect),
      digestOf: () => JSON.stringify([version, names]),
    },
  })
  return withSubresources(row, version)
}

/** As `status: true` has it for built-in kinds, but with no status where none was sent. */
function withSubresources(
  row: ResourceRow<KubeObject>,
  { subresources, ...version }: CustomResourceDefinitionVersion,
): AnyRow {
  const scale = subresources?.scale && {
    specReplicas: subresources.scale.specReplicasPath,
    statusReplicas: subresources.scale.statusReplicasPath,
    selector: subresources.scale.labelSelectorPath ?? '',
  }
  const status: PartResource<KubeObject> | undefined = subresources?.status && {
    writes: ['status'],
    rules: statusRulesOf({ ...version, subresources }),
    verbs: ['get', 'patch', 'update'],
    resets: ['metadata', 'spec'],
  }
  if (status === undefined) return { ...row, scale }
  const setStatus = (object: AnyObject, value: unknown) => {
    if (value === undefined) delete object.status
    else object.status = value
  }
  return {
    ...row,
    scale,
    status,
    resets: ['status'],
    prepareCreate: (object: AnyObject) => setStatus(object, undefined),
    prepareUpdate: (object: AnyObject, old: AnyObject) => setStatus(object, old.status),
  } as AnyRow
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function decode(context: Definition, version: string, parsed: ParsedJson) {
  const strictFaults = duplicatePaths(parsed).map((path) => `duplicate field "${path}"`)
  const object = plainJson(parsed) as JsonObject
  const { kind, apiVersion } = object
  const unknown: string[] = []
  let metadata: JsonObject = {}
  if (object.metadata !== undefined && object.metadata !== null) {
    const decoded = decodeMetadata(object.metadata)
    metadata = decoded.metadata
    for (const fault of decoded.strictFaults) {
      strictFaults.push(fault.replace(/^(\w+) field "/, '$1 field "metadata.'))
    }
  }
  unknown.push(...context.tidy(object, version))
  unknown.push(...coerced(object, context.schema(version)))
  strictFaults.push(...unknown.map((path) => `unknown field "${path}"`))
  return { object: withHead({ kind, apiVersion, metadata }, object), strictFaults }
}

function withHead(head: JsonObject, object: JsonObject): JsonObject {
  const { kind: _kind, apiVersion: _version, metadata: _metadata, ...rest } = object
  return { ...head, ...rest }
}

function coerced(object: JsonObject, schema: Props | undefined): string[] {
  const rest = withoutMetadata(object)
  try {
    return coerceEmbedded(rest, schema)
  } catch (error) {
    if (!(error instanceof EmbeddedError)) throw error
    const { path, value, message } = error
    const fault = fieldError.invalid(path, value, message)
    throw new DecodeError(`${path}: ${fault.message}`)
  }
}

function withoutMetadata({ metadata: _metadata, ...rest }: JsonObject): JsonObject {
  return rest
}

/** With the defaults of that version, which reading it would give. */
function toStored(context: Definition, object: AnyObject): KubeObject {
  const { name } = context.stored
  const stored = context.converted(structuredClone(object), name)
  fillDefaults(stored, context.schema(name))
  return stored
}

/** By the version that it was stored in first, defaults too; then in the version asked for. */
function fromStored(context: Definition, object: AnyObject, version: string): KubeObject {
  const written = (object.apiVersion ?? '').replace(/^.*\//, '')
  context.tidy(object, written)
  fillDefaults(object, context.schema(written))
  const { metadata } = object
  if (isObject(metadata) && !metadata.generation) metadata.generation = 1
  return context.converted(object, version)
}

function deprecationOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): string | undefined {
  if (!version.deprecated) return undefined
  if (version.deprecationWarning !== undefined) return version.deprecationWarning
  const kind = spec.names.kind
  const message = `${spec.group}/${version.name} ${kind} is deprecated`
  const [newer] = spec.versions
    .filter(({ served, deprecated, name }) => {
      return served && !deprecated && compareVersions(name, version.name) < 0
    })
    .toSorted((a, b) => compareVersions(a.name, b.name))
  return newer === undefined ? message : `${message}; use ${spec.group}/${newer.name} ${kind}`
}
