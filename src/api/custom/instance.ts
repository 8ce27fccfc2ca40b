// Judges values by the schema of a custom resource, in the words and with the oddities of upstream
// (kube-openapi/pkg/validation/validate). On update, what was wrong before and has not changed is
// let through.

import { own } from '../../lib/own.ts'
import { equalJson, isObject } from '../patch/value.ts'
import { type FieldError, fieldError } from '../status.ts'
import { type Fault, invalidFault, looseFault, typeFault } from './faults.ts'
import { formatOf } from './formats.ts'
import { numberFaults, stringFaults } from './scalars.ts'
import {
  additionalOf,
  INT_OR_STRING,
  itemsOf,
  keyed,
  LIST_KEYS,
  MAP_TYPE,
  type Props,
} from './schema.ts'

/** What stood there before, where that can be told. */
type Before = { readonly value: unknown } | undefined

/** `matches` counts what fitted: of several alternatives, the nearest one tells its faults. */
type Result = { readonly faults: readonly Fault[]; readonly matches: number }

const NO_FAULTS: readonly Fault[] = []

/** What the field of a fault is called that upstream gives no field. */
const NO_FIELD = '<nil>'

/** Faults of a new value. `base` is the path of the value, empty for a whole object. */
export function instanceFaults(value: unknown, schema: Props, base = ''): FieldError[] {
  return told(judge(value, { schema, path: '', before: undefined }), base)
}

/** Faults of a change, but for those of what was not changed. */
export function changeFaults(value: unknown, old: unknown, schema: Props, base = ''): FieldError[] {
  return told(judge(value, { schema, path: '', before: { value: old } }), base)
}

function told({ faults }: Result, base: string): FieldError[] {
  const unique = new Map(faults.map((fault) => [fault.text, fault]))
  return [...unique.values()].map(({ path, make }) => {
    if (path === undefined) return make(base === '' ? NO_FIELD : base)
    const field = path.startsWith('.') ? path.slice(1) : path
    if (field === '') return make(base === '' ? NO_FIELD : base)
    return make(base === '' ? field : `${base}.${field}`)
  })
}

type Place = { readonly schema: Props; readonly path: string; readonly before: Before }

function judge(value: unknown, place: Place): Result {
  const result = judgeAlone(value, place)
  const { before } = place
  const isOld = result.faults.length > 0 && before !== undefined && equalJson(before.value, value)
  return isOld ? { ...result, faults: NO_FAULTS } : result
}

function judgeAlone(value: unknown, place: Place): Result {
  const { schema, path } = place
  const types = typesOf(schema)
  const format = formatOf(schema)
  const faults: Fault[] = []
  let matches = 0
  const note = (found: readonly Fault[], matched = 0) => {
    faults.push(...found)
    matches += matched + 1
  }
  if (value === null) {
    const fault = types.length > 0 && !schema.nullable
    if (fault) faults.push(typeFault(path, types.join(','), 'null'))
    return { faults: [...faults, ...enumFaults(value, schema, path)], matches: fault ? 0 : 1 }
  }
  if (types.length > 0 || format !== undefined) {
    const found = typeFaults(value, types, format, path)
    note(found, found.length === 0 ? 1 : 0)
  }
  const logical = judgeAlternatives(value, place)
  note(logical.faults, logical.matches)
  if (typeof value === 'string') {
    const found = stringFaults(value, schema, format, path)
    matches += found.steps
    faults.push(...found.faults)
  } else if (typeof value === 'number') note(numberFaults(value, schema, format, path), 1)
  else if (Array.isArray(value)) {
    const items = judgeItems(value, place)
    note(items.faults, items.matches)
  }
  note(enumFaults(value, schema, path))
  if (isObject(value)) {
    const fields = judgeFields(value, place)
    note(fields.faults, fields.matches)
  }
  return { faults, matches: matches + 1 }
}

function typesOf(schema: Props): readonly string[] {
  if (schema[INT_OR_STRING]) return ['integer', 'string']
  return schema.type ? [schema.type] : []
}

/** What JSON calls the value. Go tells integers from other numbers. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function typeFaults(
  value: unknown,
  types: readonly string[],
  format: string | undefined,
  path: string,
): Fault[] {
  const is = typeName(value)
  const fits = types.includes(is) || (is === 'integer' && types.includes('number'))
  const isNumeric = types.includes('number') || types.includes('integer')
  const isLoose = typeof value === 'string' || Array.isArray(value)
  if (format !== undefined && !isLoose && !fits) {
    const has = is === 'integer' ? 'int64' : is === 'number' ? 'float64' : ''
    return [typeFault(path, format, has)]
  }
  if (format !== undefined && isLoose && !isNumeric) return []
  return fits ? [] : [typeFault(path, types.join(','), is)]
}

function enumFaults(value: unknown, schema: Props, path: string): Fault[] {
  const { enum: allowed } = schema
  if (allowed === undefined || allowed.length === 0) return []
  if (allowed.some((one) => equalJson(one, value) && value !== null)) return []
  const names = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  const text = `${path} in body should be one of [${names.join(' ')}]`
  return [{ text, path, make: (field) => fieldError.notSupported(field, value, names) }]
}

function judgeAlternatives(value: unknown, place: Place): Result {
  const { allOf, anyOf, oneOf, not } = place.schema
  const of = (schema: Props) => judgeAlone(value, { ...place, schema })
  const faults: Fault[] = []
  let matches = 1
  const take = (result: Result | undefined) => {
    faults.push(...(result?.faults ?? []))
    matches += result?.matches ?? 0
  }
  const says = (what: string) => faults.push(looseFault(`"${place.path}" ${what}`))
  if (anyOf !== undefined && anyOf.length > 0) {
    const [good, best] = nearest(anyOf.map(of))
    if (good.length === 0) says('must validate at least one schema (anyOf)')
    take(good[0] ?? best)
  }
  if (oneOf !== undefined && oneOf.length > 0) {
    const [good, best] = nearest(oneOf.map(of))
    const found = good.length === 0 ? 'Found none valid' : `Found ${good.length} valid alternatives`
    if (good.length !== 1) says(`must validate one and only one schema (oneOf). ${found}`)
    take(good.length === 0 ? best : good.length === 1 ? good[0] : undefined)
  }
  if (allOf !== undefined && allOf.length > 0) {
    const results = allOf.map(of)
    const valid = results.filter((result) => result.faults.length === 0).length
    results.forEach(take)
    const none = valid === 0 ? '. None validated' : ''
    if (valid < allOf.length) says(`must validate all the schemas (allOf)${none}`)
  }
  if (not !== undefined && of(not).faults.length === 0) says('must not validate the schema (not)')
  return { faults, matches }
}

/** Those without faults, and the first of those that fitted best. */
function nearest(results: readonly Result[]): [good: Result[], best: Result | undefined] {
  const good = results.filter(({ faults }) => faults.length === 0)
  let best: Result | undefined
  for (const result of results) {
    if (best === undefined || result.matches > best.matches) best = result
  }
  return [good, best]
}

function judgeItems(list: readonly unknown[], { schema, path, before }: Place): Result {
  const items = itemsOf(schema)
  const faults: Fault[] = []
  let matches = 1
  const previous = items === undefined ? () => undefined : itemsBefore(schema, before)
  list.forEach((item, i) => {
    if (items === undefined) return
    const place = { schema: items, path: keyed(path, i), before: previous(item) }
    const result = judge(item, place)
    faults.push(...result.faults)
    matches += result.matches
  })
  const { minItems, maxItems } = schema
  const size = list.length
  if (minItems !== undefined && size < minItems) {
    faults.push(invalidFault(path, size, `should have at least ${minItems} items`))
  }
  if (maxItems !== undefined && size > maxItems) faults.push(tooMany(path, size, maxItems, 'items'))
  return { faults, matches }
}

/** Only items that their keys tell apart can be found again. */
function itemsBefore(schema: Props, before: Before): (item: unknown) => Before {
  const keys = schema[LIST_KEYS] ?? []
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(before?.value)) {
    return () => undefined
  }
  const keyOf = (item: unknown) =>
    JSON.stringify(keys.map((key) => (isObject(item) ? (own(item, key) ?? null) : null)))
  const known = new Map(before.value.map((item) => [keyOf(item), item]))
  return (item) => {
    const key = keyOf(item)
    return known.has(key) ? { value: known.get(key) } : undefined
  }
}

function tooMany(path: string, size: number, max: number, what: string): Fault {
  const text = `${path} in body should have at most ${max} ${what}`
  return { text, path, make: (field) => fieldError.tooMany(field, size, max) }
}

function judgeFields(object: { [name: string]: unknown }, place: Place): Result {
  const { schema, path } = place
  const { minProperties, maxProperties } = schema
  const faults: Fault[] = []
  let matches = 0
  const size = Object.keys(object).length
  if (minProperties !== undefined && size < minProperties) {
    faults.push(invalidFault(path, size, `should have at least ${minProperties} properties`))
  }
  if (maxProperties !== undefined && size > maxProperties) {
    faults.push(tooMany(path, size, maxProperties, 'properties'))
  }
  const descend = (name: string, of: Props, at: string) => {
    const result = judge(object[name], { schema: of, path: at, before: fieldBefore(place, name) })
    faults.push(...result.faults)
    matches += result.matches
  }
  const additional = additionalOf(schema)
  for (const name of Object.keys(object)) {
    if (own(schema.properties, name) !== undefined) continue
    if (additional !== undefined) descend(name, additional, `${path}.${name}`)
    else if (schema.additionalProperties === false) {
      const text = `${path}.${name} in body is a forbidden property`
      faults.push({ text, path, make: (field) => fieldError.invalid(field, name, text) })
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!Object.hasOwn(object, name)) continue
    descend(name, property, path === '' ? name : `${path}.${name}`)
  }
  for (const name of schema.required ?? []) {
    if (Object.hasOwn(object, name)) continue
    const at = `${path}.${name}`
    const text = `${at} in body is required`
    faults.push({ text, path: at, make: (field) => fieldError.required(field, '') })
  }
  return { faults, matches }
}

function fieldBefore({ schema, path, before }: Place, name: string): Before {
  if (before === undefined || !isObject(before.value) || schema[MAP_TYPE] === 'atomic') {
    return undefined
  }
  // The version is that of the request, whatever it was.
  if (path === '' && (name === 'kind' || name === 'apiVersion')) return undefined
  const value = own(before.value, name)
  return value === undefined ? undefined : { value }
}
