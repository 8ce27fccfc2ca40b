// Discovery documents: which groups, versions and resources there are. Pure functions of the
// registry.
//
// Two forms of the same facts: the older one (APIGroupList, APIResourceList), document by document,
// and the aggregated one (APIGroupDiscoveryList), which kubectl reads in two requests (KEP-3352).

import { createHash } from 'node:crypto'
import type { ApiGroup, ApiGroupVersion, Registry } from '../../api/registry.ts'
import { type AnyRow, groupVersionOf } from '../../api/resource.ts'

type Subresource = {
  name: string
  kind: string
  group?: string
  version?: string
  verbs: readonly string[]
  namespaced: boolean
}

const SCALE = { kind: 'Scale', group: 'autoscaling', version: 'v1' }
const PART_VERBS = ['get', 'patch', 'update']

/** /api */
export function apiVersions(registry: Registry, serverAddress: string) {
  const core = registry.groups().find(({ name }) => name === '')
  return {
    kind: 'APIVersions',
    versions: core?.versions.map(({ version }) => version) ?? [],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** /apis */
export function apiGroupList(registry: Registry) {
  const groups = namedGroups(registry).map(apiGroup)
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

/** /apis/{group} */
export function apiGroupDocument(group: ApiGroup) {
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) }
}

/** /api/{version} and /apis/{group}/{version} */
export function apiResourceList(
  registry: Registry,
  group: string,
  { version, rows }: ApiGroupVersion,
) {
  return {
    kind: 'APIResourceList',
    // The core group is older than the convention that every object says its version.
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersionOf({ group, version }),
    resources: rows.flatMap((row) => [resourceEntry(registry, row), ...subresourceEntries(row)]),
  }
}

/** /api (`core`) and /apis (`named`) when the client asks for aggregated discovery. */
export function groupDiscoveryList(registry: Registry, which: 'core' | 'named') {
  const groups = registry.groups().filter(({ name }) => (name === '') === (which === 'core'))
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: name === '' ? {} : { name },
      versions: versions.map(({ version, rows }) => ({
        version,
        resources: rows.map(resourceDiscovery),
        freshness: 'Current',
      })),
    })),
  }
}

function namedGroups(registry: Registry): readonly ApiGroup[] {
  return registry.groups().filter(({ name }) => name !== '')
}

function apiGroup({ name, versions }: ApiGroup) {
  const list = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: list, preferredVersion: list[0] }
}

function resourceEntry(registry: Registry, row: AnyRow) {
  return {
    name: row.plural,
    singularName: row.singular,
    namespaced: row.scope === 'Namespaced',
    kind: row.kind,
    verbs: verbsOf(row),
    ...listed('shortNames', row.shortNames),
    ...listed('categories', row.categories),
    ...storageHash(registry, row),
  }
}

/** Kinds that are stored nowhere have none; those stored as another kind have that one's. */
function storageHash(registry: Registry, row: AnyRow): { storageVersionHash?: string } {
  if (!row.verbs.includes('watch')) return {}
  if (row.custom !== undefined) {
    return { storageVersionHash: storageVersionHash({ ...row, version: row.custom.storedVersion }) }
  }
  const isStored = (other: AnyRow) =>
    other.storagePrefix === row.storagePrefix && other.toStored === undefined
  const stored = row.toStored === undefined ? row : (registry.rows.find(isStored) ?? row)
  return { storageVersionHash: storageVersionHash(stored) }
}

function subresourceEntries(row: AnyRow) {
  return subresourcesOf(row).map(({ name, kind, group, version, verbs, namespaced }) => ({
    name: `${row.plural}/${name}`,
    singularName: '',
    namespaced,
    ...(group === undefined ? {} : { group }),
    ...(version === undefined ? {} : { version }),
    kind,
    verbs,
  }))
}

function resourceDiscovery(row: AnyRow) {
  const subresources = subresourcesOf(row).map(({ name, kind, group, version, verbs }) => ({
    subresource: name,
    responseKind:
      group === undefined ? responseKindOf(row, kind) : { group, version: version ?? '', kind },
    verbs,
  }))
  return {
    resource: row.plural,
    responseKind: responseKindOf(row, row.kind),
    scope: row.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: verbsOf(row),
    ...listed('shortNames', row.shortNames),
    ...listed('categories', row.categories),
    ...listed('subresources', subresources),
  }
}

/** Upstream leaves the group and version of built-in kinds to be understood. */
function responseKindOf({ custom, group, version }: AnyRow, kind: string) {
  return custom === undefined ? { group: '', version: '', kind } : { group, version, kind }
}

/** Of what goes away, no new objects are made. */
function verbsOf({ custom, verbs }: AnyRow): readonly string[] {
  if (!custom?.isTerminating) return verbs
  return ['delete', 'deletecollection', 'get', 'list', 'watch']
}

/** By name. */
function subresourcesOf(row: AnyRow): Subresource[] {
  const namespaced = row.scope === 'Namespaced'
  const parts = Object.entries(row.parts).map(([name, { verbs }]) => ({ name, verbs }))
  if (row.status !== undefined) parts.push({ name: 'status', verbs: row.status.verbs })
  const own = parts.map((part) => ({ ...part, kind: row.kind, namespaced }))
  const scale = row.scale && { ...SCALE, name: 'scale', verbs: PART_VERBS, namespaced }
  const all = [...own, ...(scale === undefined ? [] : [scale]), ...row.actions]
  return row.custom ? all : all.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function listed<T>(name: string, items: readonly T[]): Record<string, readonly T[]> {
  return items.length === 0 ? {} : { [name]: items }
}

/**
 * Says whether two servers store a resource alike; the same for the same group, version and kind.
 */
function storageVersionHash(row: Pick<AnyRow, 'group' | 'version' | 'kind'>): string {
  const name = `${row.group}/${row.version}/${row.kind}`
  return createHash('sha256').update(name).digest().subarray(0, 8).toString('base64')
}
