// Which kinds there are: look-ups over rows, and their groups in the order that clients prefer.
//
// Rows can be added and removed while the server runs (custom resources). `generation` grows at
// every such change, so that documents made from the registry know when they are out of date.

import { assert } from '../lib/assert.ts'
import { type AnyRow, pathOf } from './resource.ts'

export interface Registry {
  /** Grows whenever a row comes or goes. */
  readonly generation: number
  /** In the order they were added. */
  readonly rows: readonly AnyRow[]
  /** By the words of a path: '', v1, pods. */
  find(group: string, version: string, plural: string): AnyRow | undefined
  findKind(group: string, version: string, kind: string): AnyRow | undefined
  /** The row of this plural in the most preferred version of its group. */
  findPreferred(group: string, plural: string): AnyRow | undefined
  /** The core group ('') first, then upstream's order, then others by name. */
  groups(): readonly ApiGroup[]
  /**
   * Replaces the row of the same group, version and plural, if there is one. Fails when its objects
   * would be stored among those of another kind.
   */
  add(row: AnyRow): void
  remove(row: { group: string; version: string; plural: string }): void
  /** Calls `listener` after each change, until the answer is called. */
  onChange(listener: () => void): () => void
}

export type ApiGroup = {
  readonly name: string
  /** The most preferred first. */
  readonly versions: readonly ApiGroupVersion[]
}

export type ApiGroupVersion = {
  readonly version: string
  /** By plural. */
  readonly rows: readonly AnyRow[]
}

/** The order in which upstream lists its own groups. */
const GROUP_ORDER = [
  ...['', 'apiregistration.k8s.io', 'apps', 'events.k8s.io', 'authentication.k8s.io'],
  ...['authorization.k8s.io', 'autoscaling', 'batch', 'certificates.k8s.io', 'networking.k8s.io'],
  ...['policy', 'rbac.authorization.k8s.io', 'storage.k8s.io', 'admissionregistration.k8s.io'],
  ...['apiextensions.k8s.io', 'scheduling.k8s.io', 'coordination.k8s.io', 'node.k8s.io'],
  ...['discovery.k8s.io', 'resource.k8s.io', 'flowcontrol.apiserver.k8s.io'],
]

export function createRegistry(rows: readonly AnyRow[]): Registry {
  const registry = new RowRegistry()
  for (const row of rows) registry.add(row)
  return registry
}

class RowRegistry implements Registry {
  #generation = 0
  readonly #byPath = new Map<string, AnyRow>()
  readonly #byKind = new Map<string, AnyRow>()
  readonly #listeners = new Set<() => void>()
  #groups: readonly ApiGroup[] | undefined

  get generation(): number {
    return this.#generation
  }

  get rows(): readonly AnyRow[] {
    return [...this.#byPath.values()]
  }

  find(group: string, version: string, plural: string): AnyRow | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  findKind(group: string, version: string, kind: string): AnyRow | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`)
  }

  findPreferred(group: string, plural: string): AnyRow | undefined {
    const versions = this.groups().find(({ name }) => name === group)?.versions ?? []
    for (const { rows } of versions) {
      const row = rows.find((candidate) => candidate.plural === plural)
      if (row !== undefined) return row
    }
    return undefined
  }

  groups(): readonly ApiGroup[] {
    this.#groups ??= groupsOf(this.rows)
    return this.#groups
  }

  add(row: AnyRow) {
    this.#take(row)
    for (const other of this.#byPath.values()) {
      assert(!sharesStorage(row, other), `${pathOf(row)} would be stored among ${pathOf(other)}`)
    }
    this.#byPath.set(`${row.group}/${row.version}/${row.plural}`, row)
    this.#byKind.set(`${row.group}/${row.version}/${row.kind}`, row)
    this.#changed()
  }

  remove(row: { group: string; version: string; plural: string }) {
    if (this.#take(row)) this.#changed()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #take(row: { group: string; version: string; plural: string }): boolean {
    const known = this.find(row.group, row.version, row.plural)
    if (known === undefined) return false
    this.#byPath.delete(`${known.group}/${known.version}/${known.plural}`)
    this.#byKind.delete(`${known.group}/${known.version}/${known.kind}`)
    return true
  }

  #changed() {
    this.#generation += 1
    this.#groups = undefined
    for (const listener of [...this.#listeners]) listener()
  }
}

/** Whether objects of one would be found among those of the other, without being the same. */
function sharesStorage(a: AnyRow, b: AnyRow): boolean {
  if (!a.verbs.includes('list') || !b.verbs.includes('list')) return false
  const [left, right] = [`${a.storagePrefix}/`, `${b.storagePrefix}/`]
  if (left === right) return a.toStored === undefined && b.toStored === undefined
  return left.startsWith(right) || right.startsWith(left)
}

function groupsOf(rows: readonly AnyRow[]): readonly ApiGroup[] {
  const groups = Map.groupBy(rows, (row) => row.group)
  return [...groups]
    .map(([name, members]) => ({ name, versions: versionsOf(members) }))
    .toSorted((a, b) => groupRank(a.name) - groupRank(b.name) || compareText(a.name, b.name))
}

function versionsOf(rows: readonly AnyRow[]): readonly ApiGroupVersion[] {
  return [...Map.groupBy(rows, (row) => row.version)]
    .map(([version, members]) => ({
      version,
      rows: members.toSorted((a, b) => compareText(a.plural, b.plural)),
    }))
    .toSorted((a, b) => compareVersions(a.version, b.version))
}

function groupRank(name: string): number {
  const index = GROUP_ORDER.indexOf(name)
  return index === -1 ? GROUP_ORDER.length : index
}

/**
 * The more preferred version first: v2, v1, v1beta2, v1beta1, v1alpha1, then all that is no version
 * of this form, by name (apimachinery/pkg/version).
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [versionParts(a), versionParts(b)]
  if (left === undefined || right === undefined) {
    if (left === right) return compareText(a, b)
    return left === undefined ? 1 : -1
  }
  return right.stage - left.stage || right.major - left.major || right.minor - left.minor
}

function versionParts(text: string) {
  const match = /^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$/.exec(text)
  if (match === null) return undefined
  const stage = match[2] === 'alpha' ? 0 : match[2] === 'beta' ? 1 : 2
  return { stage, major: Number(match[1]), minor: Number(match[3] ?? 0) }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
