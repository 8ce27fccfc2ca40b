// TypeScript interfaces with short names.

import type { Facts, FieldFacts, TypeFacts } from './facts.ts'

const HEADER = `// Written by src/build/generate.ts; do not edit.
//
// Fields of kinds: \`metadata\` and \`spec\` are required wherever the server always writes them,
// so that code which reads objects need not ask. Lists are KubeList<T> of api/object.ts.
`

const SCALARS: Record<string, string> = {
  string: 'string',
  boolean: 'boolean',
  int32: 'number',
  int64: 'number',
  double: 'number',
  bytes: 'string',
  time: 'string',
  microtime: 'string',
  duration: 'string',
  quantity: 'string',
  intOrString: 'number | string',
  any: 'unknown',
  fields: '{ [path: string]: unknown }',
}

const ALTERNATIVES: Record<string, string> = {
  bool: 'boolean',
  list: 'JSONSchemaProps[]',
  strings: 'string[]',
}

/** The first of these has the short name when several packages have a type of that name. */
const PLAIN_FIRST = [
  ...['core.v1', 'meta.v1', 'autoscaling.v2', 'rbac.v1', 'authentication.v1'],
  ...['admissionregistration.v1'],
]

export function emitTypes(facts: Facts): string {
  const types = facts.types.filter((type) => !isList(type) && !type.name.includes('.pkg.runtime.'))
  const names = shortNames(types)
  return [HEADER, ...types.map((type) => emitInterface(type, names))].join('\n')
}

function isList(type: TypeFacts): boolean {
  const hasItems = type.fields.some((field) => field.name === 'items')
  return hasItems && type.fields.some((field) => field.type.endsWith('.ListMeta'))
}

function shortNames(types: readonly TypeFacts[]): ReadonlyMap<string, string> {
  const owners = new Map<string, string[]>()
  for (const { name } of types) {
    const short = lastPart(name)
    owners.set(short, [...(owners.get(short) ?? []), name])
  }
  const names = new Map<string, string>()
  for (const [short, full] of owners) {
    const plain =
      full.length === 1 ? full[0] : full.toSorted((a, b) => precedence(a) - precedence(b))[0]
    for (const name of full) names.set(name, name === plain ? short : prefixed(name))
  }
  // These are too plain to stand alone.
  names.set('io.k8s.apimachinery.pkg.version.Info', 'VersionInfo')
  names.set('io.k8s.api.resource.v1.Device', 'ResourceDevice')
  names.set('io.k8s.api.resource.v1.Counter', 'ResourceCounter')
  names.set('io.k8s.api.admissionregistration.v1.Variable', 'AdmissionVariable')
  names.set('io.k8s.api.admissionregistration.v1.Rule', 'AdmissionRule')
  return names
}

const lastPart = (name: string) => name.slice(name.lastIndexOf('.') + 1)

function precedence(name: string): number {
  const index = PLAIN_FIRST.findIndex((part) => name.includes(`.${part}.`))
  return index === -1 ? PLAIN_FIRST.length : index
}

/** io.k8s.api.events.v1.Event becomes EventsV1Event. */
function prefixed(name: string): string {
  const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1)
  return name.split('.').slice(-3).map(capital).join('')
}

function emitInterface(type: TypeFacts, names: ReadonlyMap<string, string>): string {
  const fields = type.fields.map((field) => {
    const mark = isRequired(type, field) ? '' : '?'
    return `  ${propertyName(field.name)}${mark}: ${typeText(field.type, names)}\n`
  })
  return `export interface ${names.get(type.name)} {\n${fields.join('')}}\n`
}

function isRequired(type: TypeFacts, field: FieldFacts): boolean {
  if (field.required) return true
  if (!field.always || field.pointer || !field.type.startsWith('#')) return false
  return field.name === 'spec' || (field.name === 'metadata' && type.kind !== undefined)
}

const propertyName = (name: string) => (/^\w+$/.test(name) ? name : JSON.stringify(name))

function typeText(type: string, names: ReadonlyMap<string, string>): string {
  if (type.startsWith('[w]')) return listOf(typeText(type.slice(3), names))
  if (type.startsWith('[]')) return listOf(typeText(type.slice(2), names))
  if (type.startsWith('{}')) return `{ [key: string]: ${typeText(type.slice(2), names)} }`
  if (!type.startsWith('#')) return SCALARS[type]!
  const [name = '', alternative] = type.slice(1).split('|')
  const text = names.get(name)
  if (text === undefined) throw new Error(`no name for the type ${name}`)
  return alternative === undefined ? text : `${text} | ${ALTERNATIVES[alternative]}`
}

const listOf = (text: string) => (text.includes(' ') ? `(${text})[]` : `${text}[]`)
