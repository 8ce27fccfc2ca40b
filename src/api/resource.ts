// What a row may say. One row per kind; routing, discovery, OpenAPI, defaulting, validation, tables
// and informer paths are functions of rows, so adding a kind means adding a row.

import { isDnsSubdomainName } from './names.ts'
import type { KubeObject } from './object.ts'
import { emptyStatus } from './schema/empty.ts'
import { type ObjectType, objectType } from './schema/schema.ts'
import type { FieldError } from './status.ts'

export type Verb =
  | 'create'
  | 'delete'
  | 'deletecollection'
  | 'get'
  | 'list'
  | 'patch'
  | 'update'
  | 'watch'

/** Who asks, the time, and ids, for strategies that write one of them into the object. */
export type RequestContext = {
  nowMs: number
  user: UserInfo
  uuid: () => string
}

export type UserInfo = {
  username: string
  uid?: string
  groups: readonly string[]
  extra?: Readonly<Record<string, readonly string[]>>
}

/** Reports every fault of `object`; `old` is given on update. Runs after defaults and types. */
export type Rule<O> = (object: O, old: O | undefined) => readonly FieldError[]

export type Column<O> = {
  name: string
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  format?: string
  /** 0 is always shown, 1 only with -o wide. */
  priority: 0 | 1
  description?: string
  cell: (object: O, nowMs: number) => string | number | boolean | null
}

/**
 * What judges the metadata of a change once more, in upstream's order, beyond the registry which
 * does both: the whole of it, or the change. Refusals name every fault as often as it was found.
 */
export type MetadataJudges = readonly ('whole' | 'change')[]

/** A sub-resource which reads and writes a part of the object itself. */
export type PartResource<O> = {
  /** Top-level fields that a write through this path changes; the others stay as they are. */
  writes: readonly ('status' | 'spec' | 'metadata')[]
  /** Merges what the caller sent into what is stored, when copying `writes` is not the rule. */
  merge?: (sent: O, stored: O, context: RequestContext) => O
  rules: readonly Rule<O>[]
  verbs: readonly ('get' | 'patch' | 'update')[]
  /** Default: the change. */
  metadataJudges?: MetadataJudges
  /** Default: none; the warnings of the row are for the object itself. */
  warnings?: (object: O, old: O) => readonly string[]
  /**
   * Dotted paths that a sender through this path never owns, for server-side apply. Default: the
   * other of `spec` and `status`.
   */
  resets?: readonly string[]
}

export type RowCondition = { type: string; status: string; reason: string; message: string }

export type ScaleResource = {
  /** Dotted paths. */
  specReplicas: string
  statusReplicas: string
  /** Dotted path of the selector; the text of it is served in status.selector. */
  selector: string
}

export interface ResourceRow<O extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  /** Default: kind + "List". */
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly scope: 'Namespaced' | 'Cluster'
  /** Group that refusals name. Default: the row's own; events have that of their stored form. */
  readonly faultGroup: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly Verb[]
  /** Name in the generated schema: io.k8s.api.core.v1.Pod. */
  readonly type: string
  /** The fields of the kind; read when first asked for. */
  readonly schema: () => ObjectType
  /**
   * What its keys in the store begin with, as etcd has them under /registry: "pods", "leases",
   * "services/specs". Those of a custom resource are `<group>/<plural>`: its group has a dot, which
   * no prefix of a built-in kind has. Two rows of one prefix serve the same objects (events): then
   * `toStored` and `fromStored` convert.
   */
  readonly storagePrefix: string
  readonly toStored?: (object: O) => KubeObject
  readonly fromStored?: (object: KubeObject) => O
  /** A copy of its own. Default: structuredClone; a version may know more than its fields say. */
  readonly copy: (object: O) => O

  /**
   * metadata.generation counts changes of what this returns. Default: spec. `false`, or undefined
   * as the answer: not kept.
   */
  readonly generationOf: ((object: O) => unknown) | false
  /**
   * Defaults that the facts do not hold. Runs on create and update, before rules. Throws
   * DecodeError for what upstream's conversion between versions refuses.
   */
  readonly defaults: (object: O) => void
  /** Sets and drops what the creator may not say (status, most of all). */
  readonly prepareCreate: (object: O, context: RequestContext) => void
  /** Keeps what an update may not change (status, most of all). */
  readonly prepareUpdate: (object: O, old: O, context: RequestContext) => void
  readonly rules: readonly Rule<O>[]
  readonly warnings: (object: O, old: O | undefined) => readonly string[]
  /** Warned of at every request for this resource: `v1 Endpoints is deprecated in v1.33+; ...`. */
  readonly deprecation: string | undefined
  /** As PartResource.resets, for the object itself. Default: status, when it is a sub-resource. */
  readonly resets: readonly string[]
  /** Default: the change. */
  readonly metadataJudges: MetadataJudges
  /** Finalizers need no domain (Lease, Event). */
  readonly freeFinalizers: boolean
  /** How metadata.name is checked. */
  readonly nameRule: (name: string, isPrefix: boolean) => readonly string[]

  readonly status: PartResource<O> | undefined
  readonly scale: ScaleResource | undefined
  /** Others that read and write a part of the object: pods/ephemeralcontainers, csr/approval. */
  readonly parts: Readonly<Record<string, PartResource<O>>>
  /** Sub-resources with behaviour of their own, for discovery: pods/log, pods/binding. */
  readonly actions: readonly ActionResource[]

  /** Fields for selectors, beyond metadata.name and metadata.namespace. */
  readonly selectable: Readonly<Record<string, (object: O) => string>>
  /** What a selector of another field is told. */
  readonly unknownField: (field: string) => string
  /** After the Name column, which every table begins with. */
  readonly columns: readonly Column<O>[]
  /** The order of rows in tables of lists, where it is not that of the list. */
  readonly tableOrder: ((a: O, b: O) => number) | undefined
  /** False when `columns` is all there is, Name included where it belongs. */
  readonly startsWithName: boolean
  /**
   * Annotations that are fields of upstream's stored form: they are missing where the metadata of
   * an object is given alone, as in the rows of tables.
   */
  readonly fieldAnnotations: readonly string[]
  /** Conditions of a row in tables: pods that are done. */
  readonly rowConditions: (object: O) => readonly RowCondition[]
  /** An update may leave out metadata.resourceVersion. */
  readonly unconditionalUpdate: boolean
  /** PUT of a name that does not exist creates it. */
  readonly createOnUpdate: boolean
  /**
   * Grace in seconds for a deletion, of which the caller asked for `asked`, or said nothing; zero
   * and undefined: deleted at once.
   */
  readonly graceSeconds: ((object: O, asked?: number) => number | undefined) | undefined
  /** A deletion without a policy leaves the dependents (ReplicationController). */
  readonly orphansByDefault: boolean
  /** Warned of at a deletion that says nothing of the dependents. */
  readonly orphaningWarning: string | undefined
  /** A deletion answers the object as it last was, instead of a Status. */
  readonly answersDeleted: boolean
  /**
   * Clients compare its free data byte by byte with what they make themselves: then it is written
   * as Go writes JSON.
   */
  readonly isComparedAsText: boolean
  /** Written to disk rarely: see store.WriteOptions.volatile. */
  readonly volatile: boolean
  /** Whether an update says no more than "still here": such a one is volatile. */
  readonly isHeartbeat: ((object: O, old: O) => boolean) | undefined
  /** Removed this long after its last write, in ms. */
  readonly ttlMs: number | undefined
  /** What only rows have that a definition added while the server runs. */
  readonly custom: CustomResource | undefined
}

/** JSON as `codec/` reads it: the value, and all members of objects that name a field twice. */
type Parsed = {
  readonly value: unknown
  readonly repeated:
    | ReadonlyMap<object, readonly (readonly [name: string, value: unknown])[]>
    | undefined
}

/** See `api/custom`. */
export interface CustomResource {
  /**
   * What was sent as it is kept, in place, without defaults. Throws DecodeError for what has no
   * proper metadata.
   */
  decode(parsed: Parsed): {
    object: { [field: string]: unknown }
    strictFaults: readonly string[]
  }
  /** What was stored at `revision` is what this row serves, letter by letter. */
  readsAsIs(revision: number): boolean
  /** The definition is going away with all its objects; no new ones are made. */
  readonly isTerminating: boolean
  readonly storedVersion: string
  /** For OpenAPI: its schemas and the names of others that they refer to. */
  schemas(dialect: 'v2' | 'v3'): {
    schemas: [name: string, schema: { [keyword: string]: unknown }][]
    refers: string[]
  }
  /** Changes when the schemas do. */
  digestOf(): string
}

export type ActionResource = {
  name: string
  kind: string
  /** When it is not the row's own. */
  group?: string
  version?: string
  verbs: readonly (Verb | 'post')[]
  namespaced: boolean
}

/**
 * What the author of a row says. Everything else has a default:
 *
 *     listKind      kind + "List"              scope         'Namespaced'
 *     singular      kind in lower case         verbs         all eight
 *     storagePrefix plural                     nameRule      DNS subdomain
 *     generationOf  spec (none when no spec)   unconditionalUpdate  true, createOnUpdate false
 *     no short names, categories, columns, selectable fields, rules, warnings, parts, actions
 *
 * `status: true` is a sub-resource that writes `status` alone. With it new objects lose the status
 * they were sent with, and updates keep the stored one; your own prepareCreate and prepareUpdate
 * run after that.
 *
 * Upstream keeps no generation for many kinds that have a spec (Namespace, Node, Service,
 * PersistentVolume, Lease, ...): those say `generationOf: false`.
 */
export type ResourceDefinition<O extends KubeObject> = Partial<
  Omit<ResourceRow<O>, 'status' | 'parts'>
> &
  Pick<ResourceRow<O>, 'group' | 'version' | 'kind' | 'plural' | 'type'> & {
    readonly status?: true | PartDefinition<O>
    /** New objects keep the status they were sent with (Node: kubelets register with theirs). */
    readonly createsWithStatus?: boolean
    readonly parts?: Readonly<Record<string, PartDefinition<O>>>
  }

/** `rules` default to those of the row, `verbs` to get, patch and update. */
export type PartDefinition<O> = Pick<PartResource<O>, 'writes'> & Partial<PartResource<O>>

const ALL_VERBS: readonly Verb[] = [
  ...(['create', 'delete', 'deletecollection', 'get'] as const),
  ...(['list', 'patch', 'update', 'watch'] as const),
]

/** A whole row from its definition. Does no work that needs the generated schema. */
export function defineResource<O extends KubeObject>(
  definition: ResourceDefinition<O>,
): ResourceRow<O> {
  const { status, parts, createsWithStatus = false, ...rest } = definition
  const rules = definition.rules ?? []
  const part = (of: PartDefinition<O>): PartResource<O> => ({
    rules,
    verbs: ['get', 'patch', 'update'],
    ...of,
  })
  return {
    listKind: `${definition.kind}List`,
    singular: definition.kind.toLowerCase(),
    scope: 'Namespaced',
    faultGroup: definition.group,
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    schema: () => objectType(definition.type),
    storagePrefix: definition.plural,
    copy: structuredClone,
    generationOf: (object: O) => (object as { spec?: unknown }).spec,
    defaults: () => {},
    warnings: () => [],
    deprecation: undefined,
    resets: status === undefined ? [] : ['status'],
    nameRule: isDnsSubdomainName,
    metadataJudges: ['change'],
    freeFinalizers: false,
    scale: undefined,
    actions: [],
    selectable: {},
    unknownField: (field) => `field label not supported: ${field}`,
    columns: [],
    startsWithName: true,
    tableOrder: undefined,
    fieldAnnotations: [],
    rowConditions: () => [],
    unconditionalUpdate: true,
    createOnUpdate: false,
    graceSeconds: undefined,
    orphansByDefault: false,
    orphaningWarning: undefined,
    answersDeleted: false,
    isComparedAsText: false,
    volatile: false,
    isHeartbeat: undefined,
    ttlMs: undefined,
    custom: undefined,
    ...rest,
    rules,
    prepareCreate:
      status === undefined || createsWithStatus
        ? (rest.prepareCreate ?? (() => {}))
        : dropStatus(rest),
    prepareUpdate: status === undefined ? (rest.prepareUpdate ?? (() => {})) : keepStatus(rest),
    status: status && part(status === true ? { writes: ['status'] } : status),
    parts: Object.fromEntries(Object.entries(parts ?? {}).map(([name, of]) => [name, part(of)])),
  }
}

type Prepared<O extends KubeObject> = Pick<ResourceDefinition<O>, 'type'> &
  Partial<Pick<ResourceRow<O>, 'prepareCreate' | 'prepareUpdate'>>

function dropStatus<O extends KubeObject>(row: Prepared<O>): ResourceRow<O>['prepareCreate'] {
  return (object, context) => {
    setStatus(object, emptyStatus(row.type))
    row.prepareCreate?.(object, context)
  }
}

function keepStatus<O extends KubeObject>(row: Prepared<O>): ResourceRow<O>['prepareUpdate'] {
  return (object, old, context) => {
    setStatus(object, (old as { status?: unknown }).status)
    row.prepareUpdate?.(object, old, context)
  }
}

function setStatus(object: KubeObject, status: unknown) {
  const target = object as { status?: unknown }
  if (status === undefined) delete target.status
  else target.status = status
}

/** Any row, for code that treats all kinds alike. */
// biome-ignore lint/suspicious/noExplicitAny: rows are contravariant in their object.
export type AnyRow = ResourceRow<any>

/** `apps/v1`, or `v1` for the core group. */
export function groupVersionOf(row: { group: string; version: string }): string {
  return row.group === '' ? row.version : `${row.group}/${row.version}`
}

/** `deployments.apps`, or `pods` for the core group: what messages call the resource. */
export function qualifiedResource(row: { group: string; plural: string }): string {
  return row.group === '' ? row.plural : `${row.plural}.${row.group}`
}

/** `/apis/apps/v1/namespaces/ns/deployments/name`; parts that are not given are left out. */
export function pathOf(
  row: { group: string; version: string; plural: string },
  where: { namespace?: string | undefined; name?: string; subresource?: string } = {},
): string {
  const root = row.group === '' ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`
  const namespace = where.namespace ? `/namespaces/${encodeURIComponent(where.namespace)}` : ''
  const name = where.name === undefined ? '' : `/${encodeURIComponent(where.name)}`
  const subresource = where.subresource === undefined ? '' : `/${where.subresource}`
  return `${root}${namespace}/${row.plural}${name}${subresource}`
}
