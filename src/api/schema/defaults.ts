// Defaults that the facts hold: `protocol: TCP` of ports, `replicas: 1` of a replication
// controller.
//
// Those that depend on other fields are code on the rows.

import type { Field, FieldType, ObjectType } from './schema.ts'

type Json = Record<string, unknown>

/** Fills in what was not said, in place. Runs on decoded objects, before the row's own defaults. */
export function applyDefaults(object: object, type: ObjectType) {
  const plan = planOf(type)
  const target = object as Json
  for (const field of plan.defaults) {
    if (isUnset(target[field.name], field)) target[field.name] = structuredClone(field.default)
  }
  for (const field of plan.inner) {
    const value = target[field.name]
    if (value !== undefined && value !== null) descend(value, field.type)
  }
}

/** The fields of a type that have a default, and those with a default somewhere below. */
type Plan = { defaults: readonly Field[]; inner: readonly Field[] }

const PLANS = new WeakMap<ObjectType, Plan>()

function planOf(type: ObjectType): Plan {
  const known = PLANS.get(type)
  if (known !== undefined) return known
  const fields = [...type.fields.values()]
  const plan = {
    defaults: fields.filter(hasDefault),
    inner: fields.filter((field) => holdsDefaults(field.type, new Set([type]))),
  }
  PLANS.set(type, plan)
  return plan
}

function holdsDefaults(type: FieldType, seen: Set<ObjectType>): boolean {
  if (type.is === 'list' || type.is === 'map') return holdsDefaults(type.of, seen)
  if (type.is !== 'object' || seen.has(type.type)) return false
  seen.add(type.type)
  return [...type.type.fields.values()].some(
    (field) => hasDefault(field) || holdsDefaults(field.type, seen),
  )
}

/** A default that is the zero value says nothing of a field that has no other way to be unset. */
function hasDefault(field: Field): boolean {
  return field.pointer ? field.default !== undefined : Boolean(field.default)
}

/** Go takes the zero value of a field that is no pointer for nothing. */
function isUnset(value: unknown, field: Field): boolean {
  if (value === undefined || value === null) return true
  return !field.pointer && (value === '' || value === 0 || value === false)
}

function descend(value: unknown, type: FieldType) {
  if (type.is === 'object') applyDefaults(value as object, type.type)
  if (type.is === 'list') for (const item of value as unknown[]) descend(item, type.of)
  if (type.is === 'map') for (const item of Object.values(value as Json)) descend(item, type.of)
}
