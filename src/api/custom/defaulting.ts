// Defaults of custom resources.

import { own, setOwn } from '../../lib/own.ts'
import { isObject } from '../patch/value.ts'
import { isGiven } from './prune.ts'
import { additionalOf, itemsOf, type Props } from './schema.ts'

/** Fills in what was not said, and what was null where that may not be; in place. */
export function fillDefaults(value: unknown, schema: Props | undefined) {
  if (schema === undefined || !holdsDefaults(schema)) return
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    value.forEach((item, i) => {
      if (isWrongNull(item, items) && isGiven(items?.default)) value[i] = copyOf(items!.default)
      fillDefaults(value[i], items)
    })
    return
  }
  if (!isObject(value)) return
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!isGiven(property.default)) continue
    const said = own(value, name)
    if (said === undefined || isWrongNull(said, property)) {
      setOwn(value, name, copyOf(property.default))
    }
  }
  const additional = additionalOf(schema)
  for (const name of Object.keys(value)) {
    const property = own(schema.properties, name)
    if (property === undefined && isWrongNull(value[name], additional)) {
      if (isGiven(additional?.default)) value[name] = copyOf(additional!.default)
    }
    fillDefaults(value[name], property ?? additional)
  }
}

const isWrongNull = (value: unknown, schema: Props | undefined) =>
  value === null && schema !== undefined && !schema.nullable

const copyOf = (value: unknown): unknown => structuredClone(value)

const known = new WeakMap<Props, boolean>()

/** Whether there is a default at or below a schema: most of an object has none. */
export function holdsDefaults(schema: Props): boolean {
  let holds = known.get(schema)
  if (holds === undefined) {
    const inner = [itemsOf(schema), additionalOf(schema), ...Object.values(schema.properties ?? {})]
    holds = inner.some((one) => one !== undefined && (isGiven(one.default) || holdsDefaults(one)))
    known.set(schema, holds)
  }
  return holds
}
