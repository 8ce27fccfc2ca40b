// The run-time tables, as compact JSON. src/api/schema/schema.ts reads them and explains the
// letters.

import type { Facts, FieldFacts } from './facts.ts'

const LETTERS: Record<string, string> = {
  string: 's',
  boolean: 'b',
  int32: 'i',
  int64: 'l',
  double: 'd',
  bytes: 'y',
  time: 't',
  microtime: 'm',
  duration: 'u',
  quantity: 'q',
  intOrString: 'x',
  any: 'a',
  fields: 'f',
}
const ALTERNATIVES: Record<string, string> = { bool: '?', list: '+', strings: '*' }

export function emitSchema(facts: Facts): string {
  const indexes = new Map(facts.types.map((type, index) => [type.name, index]))
  const rows = facts.types.map((type) =>
    JSON.stringify([
      type.name,
      type.kind ?? 0,
      type.atomic ? 1 : 0,
      type.fields.map((field) => fieldRow(field, indexes)),
    ]),
  )
  return `[\n${rows.join(',\n')}\n]\n`
}

function fieldRow(field: FieldFacts, indexes: ReadonlyMap<string, number>): unknown[] {
  const flags =
    (field.required ? 1 : 0) +
    (field.pointer ? 2 : 0) +
    (field.always ? 4 : 0) +
    (field.atomic ? 8 : 0) +
    (field.granular ? 16 : 0)
  const row = [field.name, typeText(field.type, indexes), flags, field.number ?? 0]
  const { within, embedded, list, keys, patch, mergeKey, enum: values, go } = field
  const more = {
    within,
    embedded,
    list,
    keys,
    patch,
    mergeKey,
    enum: values,
    go,
    default: field.default,
  }
  const isPlain = Object.values(more).every((value) => value === undefined)
  return isPlain ? row : [...row, more]
}

function typeText(type: string, indexes: ReadonlyMap<string, number>): string {
  if (type.startsWith('[w]')) return `(${typeText(type.slice(3), indexes)}`
  if (type.startsWith('[]')) return `[${typeText(type.slice(2), indexes)}`
  if (type.startsWith('{}')) return `{${typeText(type.slice(2), indexes)}`
  if (!type.startsWith('#')) {
    const letter = LETTERS[type]
    if (letter === undefined) throw new Error(`no letter for the type ${type}`)
    return letter
  }
  const [name = '', alternative] = type.slice(1).split('|')
  const index = indexes.get(name)
  if (index === undefined) throw new Error(`no facts for the type ${name}`)
  return `#${index}${alternative === undefined ? '' : ALTERNATIVES[alternative]}`
}
