// The operations of a group version, in a form from which both versions of OpenAPI are written.

import type { ApiGroupVersion } from '../../api/registry.ts'
import { type ActionResource, type AnyRow, pathOf } from '../../api/resource.ts'
import { type GroupVersionKind, type ObjectType, typeOfKind } from '../../api/schema/schema.ts'
import { PATCH } from './openapi-schemas.ts'

export type Parameter = {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly type: 'string' | 'integer' | 'boolean'
}

export type Operation = {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  readonly id: string
  readonly tag: string
  /** list, get, post, put, patch, delete, deletecollection or connect. */
  readonly action: string
  readonly kind: GroupVersionKind
  readonly parameters: readonly Parameter[]
  readonly body: { readonly type: string; readonly required: boolean } | undefined
  /** Status codes of success, and the type that they answer; no type for streams. */
  readonly codes: readonly number[]
  readonly answers: string | undefined
  /** Of a custom resource, which takes no strategic merge patches. */
  readonly isCustom: boolean
}

export type PathItem = {
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly operations: readonly Operation[]
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const STATUS = `${META}Status`
const SCALE: GroupVersionKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' }

const parameter =
  (place: Parameter['in'], type: Parameter['type']) =>
  (name: string): Parameter => ({ name, in: place, type })
const text = parameter('query', 'string')
const number = parameter('query', 'integer')
const flag = parameter('query', 'boolean')

const NAME: Parameter = { name: 'name', in: 'path', type: 'string' }
const NAMESPACE: Parameter = { name: 'namespace', in: 'path', type: 'string' }
const PRETTY = text('pretty')

const WRITING = ['dryRun', 'fieldManager', 'fieldValidation'].map(text)
const PATCHING = [...WRITING, flag('force')]
const DELETING = [
  ...[text('dryRun'), number('gracePeriodSeconds'), flag('orphanDependents')],
  text('propagationPolicy'),
]
const SELECTING = [
  ...[text('continue'), text('fieldSelector'), text('labelSelector'), number('limit')],
  ...[text('resourceVersion'), text('resourceVersionMatch'), flag('sendInitialEvents')],
  number('timeoutSeconds'),
]
const LISTING = [flag('allowWatchBookmarks'), ...SELECTING, flag('watch')]

/** All paths of one group version, in order. */
export function pathItems(group: string, { version, rows }: ApiGroupVersion): PathItem[] {
  const items = rows.flatMap((row) => rowPaths(new RowOperations(row, group, version)))
  return items
    .filter(({ operations }) => operations.length > 0)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** Every type that the operations of these paths name. */
export function typesOf(items: readonly PathItem[]): Set<string> {
  const names = new Set<string>()
  for (const { operations } of items) {
    for (const { body, answers, action } of operations) {
      if (body !== undefined) names.add(body.type)
      if (answers !== undefined) names.add(answers)
      if (action === 'list') names.add(`${META}WatchEvent`)
    }
  }
  return names
}

function rowPaths(row: RowOperations): PathItem[] {
  const { scope } = row.row
  const named = row.path({ name: '{name}' })
  const inNamespace = scope === 'Namespaced' ? [NAMESPACE] : []
  const ofItem = [NAME, ...inNamespace, PRETTY]
  const items: PathItem[] = [
    { path: row.path({}), parameters: [...inNamespace, PRETTY], operations: row.collection() },
    { path: named, parameters: ofItem, operations: row.item() },
  ]
  if (scope === 'Namespaced') {
    const path = pathOf(row.row)
    items.push({ path, parameters: [PRETTY], operations: row.everywhere() })
  }
  for (const { name, operations } of row.subresources()) {
    const connects = operations.some(({ action }) => action === 'connect')
    const parameters = connects ? [NAME, ...inNamespace] : ofItem
    items.push({ path: `${named}/${name}`, parameters, operations })
  }
  return items
}

/** What is common to the operations of one row. */
class RowOperations {
  readonly row: AnyRow
  readonly #tag: string
  readonly #prefix: string
  readonly #kind: GroupVersionKind
  readonly #scope: string

  constructor(row: AnyRow, group: string, version: string) {
    this.row = row
    const words = group === '' ? ['core'] : group.replace(/\.k8s\.io$/, '').split(/[.-]/)
    const pascal = words.map(capital).join('')
    this.#tag = `${words[0]}${words.slice(1).map(capital).join('')}_${version}`
    this.#prefix = `${pascal}${capital(version)}`
    this.#kind = { group, version, kind: row.kind }
    this.#scope = row.scope === 'Namespaced' ? 'Namespaced' : ''
  }

  path(where: { name?: string }): string {
    const namespace = this.row.scope === 'Namespaced' ? '{namespace}' : undefined
    return decodeURIComponent(pathOf(this.row, { ...where, namespace }))
  }

  collection(): Operation[] {
    const { row } = this
    const operations: Operation[] = []
    if (row.verbs.includes('list')) operations.push(this.#list('list', this.#named('list')))
    if (row.verbs.includes('create')) operations.push(this.#create('', row.type, this.#kind))
    if (row.verbs.includes('deletecollection')) {
      operations.push({
        ...this.#base('delete', 'deletecollection', this.#named('delete', 'Collection')),
        parameters: [...DELETING, ...SELECTING],
        body: { type: `${META}DeleteOptions`, required: false },
        codes: [200],
        answers: STATUS,
      })
    }
    return operations
  }

  everywhere(): Operation[] {
    if (!this.row.verbs.includes('list')) return []
    const id = `list${this.#prefix}${this.row.kind}ForAllNamespaces`
    return [this.#list('list', id)]
  }

  item(): Operation[] {
    const { verbs, type, answersDeleted } = this.row
    const kinds = { type, kind: this.#kind, name: '' }
    const operations = this.#readAndWrite(verbs, kinds)
    if (verbs.includes('delete')) {
      operations.push({
        ...this.#base('delete', 'delete', this.#named('delete')),
        parameters: DELETING,
        body: { type: `${META}DeleteOptions`, required: false },
        codes: [200, 202],
        answers: answersDeleted ? type : STATUS,
      })
    }
    return operations
  }

  subresources(): { name: string; operations: Operation[] }[] {
    const { row } = this
    const parts = Object.entries({ ...row.parts, ...(row.status ? { status: row.status } : {}) })
    const found = parts.map(([name, { verbs }]) => ({
      name,
      operations: this.#readAndWrite(verbs, { type: row.type, kind: this.#kind, name }),
    }))
    if (row.scale !== undefined) {
      const type = typeOfKind(SCALE)!.name
      const verbs = ['get', 'patch', 'update']
      const operations = this.#readAndWrite(verbs, { type, kind: SCALE, name: 'scale' })
      found.push({ name: 'scale', operations })
    }
    return [...found, ...row.actions.map((action) => this.#action(action))]
  }

  #readAndWrite(
    verbs: readonly string[],
    { type, kind, name }: { type: string; kind: GroupVersionKind; name: string },
  ): Operation[] {
    const operations: Operation[] = []
    const common = { kind, answers: type }
    if (verbs.includes('get')) {
      const base = this.#base('get', 'get', this.#named('read', '', name))
      operations.push({ ...base, ...common, codes: [200] })
    }
    if (verbs.includes('update')) {
      const base = this.#base('put', 'put', this.#named('replace', '', name))
      const body = { type, required: true }
      operations.push({ ...base, ...common, parameters: WRITING, body, codes: [200, 201] })
    }
    if (verbs.includes('patch')) {
      const base = this.#base('patch', 'patch', this.#named('patch', '', name))
      const body = { type: PATCH, required: true }
      operations.push({ ...base, ...common, parameters: PATCHING, body, codes: [200, 201] })
    }
    return operations
  }

  /** Actions that take an object are created; the others connect, with options in the query. */
  #action(action: ActionResource): { name: string; operations: Operation[] } {
    const kind = {
      group: action.group ?? this.row.group,
      version: action.version ?? this.row.version,
      kind: action.kind,
    }
    const type = typeOfKind(kind)
    const isStream = action.name === 'log' || action.kind.endsWith('Options')
    if (!isStream && type !== undefined) {
      return { name: action.name, operations: [this.#create(action.name, type.name, kind)] }
    }
    const optionsKind = action.name === 'log' ? 'PodLogOptions' : action.kind
    const options = typeOfKind({ ...kind, kind: optionsKind })
    const operations = action.verbs.flatMap((verb): Operation[] => {
      const method = METHODS[verb]
      if (method === undefined) return []
      const isLog = action.name === 'log'
      const id = isLog
        ? this.#named('read', '', action.name)
        : this.#named('connect', capital(method), action.name)
      const base = this.#base(method, isLog ? 'get' : 'connect', id)
      return [{ ...base, kind, parameters: optionParameters(options), codes: [200] }]
    })
    return { name: action.name, operations }
  }

  #list(action: string, id: string): Operation {
    const answers = this.row.type.replace(/[^.]+$/, this.row.listKind)
    return { ...this.#base('get', action, id), parameters: LISTING, codes: [200], answers }
  }

  #create(name: string, type: string, kind: GroupVersionKind): Operation {
    return {
      ...this.#base('post', 'post', this.#named('create', '', name)),
      kind,
      parameters: WRITING,
      body: { type, required: true },
      codes: [200, 201, 202],
      answers: type,
    }
  }

  #base(method: Operation['method'], action: string, id: string): Operation {
    return {
      method,
      id,
      action,
      tag: this.#tag,
      kind: this.#kind,
      parameters: [],
      body: undefined,
      codes: [],
      answers: undefined,
      isCustom: this.row.custom !== undefined,
    }
  }

  /** readAppsV1NamespacedDeployment, deleteAppsV1CollectionNamespacedDeployment. */
  #named(verb: string, what = '', subresource = ''): string {
    const kind = `${this.#scope}${this.row.kind}`
    return `${verb}${this.#prefix}${what}${kind}${capital(subresource)}`
  }
}

const METHODS: Readonly<Record<string, Operation['method']>> = {
  get: 'get',
  create: 'post',
  post: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
}

function optionParameters(options: ObjectType | undefined): Parameter[] {
  const fields = [...(options?.fields.values() ?? [])]
  return fields
    .filter(({ name, type }) => name !== 'kind' && name !== 'apiVersion' && type.is !== 'time')
    .map(({ name, type }) => {
      const { is } = type.is === 'list' ? type.of : type
      if (is === 'boolean') return flag(name)
      return is === 'int32' || is === 'int64' ? number(name) : text(name)
    })
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
