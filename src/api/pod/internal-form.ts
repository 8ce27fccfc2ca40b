// Objects as upstream's messages show them: its internal types as JSON, with Go's field names and
// every field written out.

import type { PodSpec, PodTemplateSpec } from '../schema/generated/types.ts'
import { INTERNAL_FIELDS } from './internal-fields.ts'

type Json = { [name: string]: unknown }
type InternalField = { name: string; wire: string; kind: string }

/** `value` is of the v1 type that has the same name. */
export function internalForm(type: string, value: object): Json {
  const shown: Json = {}
  for (const { name, wire, kind } of fieldsOf(type)) {
    if (name === '...') Object.assign(shown, internalForm(kind, value))
    else shown[name] = formOf(kind, (value as Json)[wire])
  }
  return shown
}

/** A pod spec keeps some of its fields in the internal security context. */
export function internalPodSpec(spec: PodSpec): Json {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers } = spec
  const securityContext = {
    hostNetwork,
    hostPID,
    hostIPC,
    shareProcessNamespace,
    hostUsers,
    ...spec.securityContext,
  }
  return internalForm('PodSpec', { ...spec, securityContext })
}

/** Metadata has the names of the wire, and stands where it is embedded. */
export function internalPodTemplate({ metadata = {}, spec }: PodTemplateSpec): Json {
  const { labels, annotations, ...others } = metadata
  return {
    ...others,
    ...(labels && { labels: sortedByKey(labels) }),
    ...(annotations && { annotations: sortedByKey(annotations) }),
    Spec: internalPodSpec(spec ?? { containers: [] }),
  }
}

function sortedByKey(map: Json): Json {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Indented by one space, as Go indents it for people. */
export function internalText(shown: Json): string {
  return JSON.stringify(shown, null, 1).replace(
    /[<>&]/g,
    (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`,
  )
}

function formOf(kind: string, value: unknown): unknown {
  if (kind.startsWith('[')) {
    if (value === undefined || value === null) return null
    return (value as unknown[]).map((item) => formOf(kind.slice(1, -1), item))
  }
  if (kind.startsWith('{')) {
    if (value === undefined || value === null) return null
    const items = Object.entries(sortedByKey(value as Json))
    return Object.fromEntries(items.map(([key, item]) => [key, formOf(kind.slice(1, -1), item)]))
  }
  if (kind.startsWith('*')) {
    if (value === undefined || value === null) return null
    return kind.length > 2 ? internalForm(kind.slice(1), value as object) : value
  }
  return kind.length > 1 ? internalForm(kind, (value ?? {}) as object) : (value ?? ZEROS[kind])
}

const ZEROS: Readonly<Record<string, unknown>> = { s: '', b: false, i: 0, q: '0', x: 0 }

const TYPES = lazily(parse)

function fieldsOf(type: string): readonly InternalField[] {
  return TYPES().get(type) ?? []
}

/** Nothing is parsed before the first message that needs it. */
function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function parse() {
  const types = new Map<string, InternalField[]>()
  let current: InternalField[] = []
  for (const line of INTERNAL_FIELDS.trim().split('\n')) {
    const words = line.trim().split(' ')
    if (!line.startsWith(' ')) {
      current = []
      types.set(words.shift()!, current)
    }
    current.push(...words.map(fieldOf))
  }
  return types
}

function fieldOf(word: string): InternalField {
  if (word.startsWith('...')) return { name: '...', wire: '', kind: word.slice(3) }
  const [names = '', kind = ''] = word.split(':')
  const [name = '', wire] = names.split('=')
  return { name, wire: wire ?? name.charAt(0).toLowerCase() + name.slice(1), kind }
}
