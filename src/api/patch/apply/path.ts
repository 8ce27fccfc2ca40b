// One step of a path as FieldsV1 writes it: `f:name`, `k:{"name":"x"}`, `v:"a"`, `i:0`.
//
// Steps are compared as text everywhere, so each has exactly one spelling: keys of a `k:` step in
// alphabetical order, values as Go's JSON encoder writes them.

import { goJson } from '../../codec/go-json.ts'
import { isObject } from '../value.ts'

export const fieldStep = (name: string): string => `f:${name}`
export const valueStep = (value: unknown): string => `v:${goJson(value)}`

/** `pairs` need not be in order. */
export function keyStep(pairs: readonly (readonly [string, unknown])[]): string {
  const sorted = pairs.length < 2 ? pairs : pairs.toSorted((a, b) => compareText(a[0], b[0]))
  const texts = sorted.map(([name, value]) => `${goJson(name)}:${goJson(value)}`)
  return `k:{${texts.join(',')}}`
}

/** Rewrites a step from outside in our spelling; undefined when it is none of the four. */
export function canonicalStep(step: string): string | undefined {
  const content = step.slice(2)
  switch (step.slice(0, 2)) {
    case 'f:':
      return step
    case 'v:':
      return valueStep(JSON.parse(content))
    case 'i:':
      return `i:${Number.parseInt(content, 10)}`
    case 'k:': {
      const key: unknown = JSON.parse(content)
      if (!isObject(key)) throw new Error(`expected an object in ${step}`)
      return keyStep(Object.entries(key))
    }
    default:
      return undefined
  }
}

/** `.name`, `[name="x",port=80]`, `[="a"]`, `[0]`: the same step in messages. */
export function stepText(step: string): string {
  const content = step.slice(2)
  switch (step.slice(0, 2)) {
    case 'f:':
      return `.${content}`
    case 'k:': {
      const key = Object.entries(JSON.parse(content) as Record<string, unknown>)
      return `[${key.map(([name, value]) => `${name}=${shown(value)}`).join(',')}]`
    }
    case 'v:':
      return `[=${shown(JSON.parse(content))}]`
    default:
      return `[${content}]`
  }
}

export const pathText = (steps: readonly string[]): string => steps.map(stepText).join('')

const shown = (value: unknown) =>
  typeof value === 'string' ? JSON.stringify(value) : String(value)

/** Fields, keys, values, indexes; within each kind by what they hold, numbers as numbers. */
export function compareSteps(a: string, b: string): number {
  if (a === b) return 0
  const kind = 'fkvi'.indexOf(a[0]!) - 'fkvi'.indexOf(b[0]!)
  if (kind !== 0) return kind
  switch (a[0]) {
    case 'f':
      return compareText(a, b)
    case 'k':
      return compareKeys(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)))
    case 'v':
      return compareValues(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)))
    default:
      return Number(a.slice(2)) - Number(b.slice(2))
  }
}

function compareKeys(a: Record<string, unknown>, b: Record<string, unknown>): number {
  const left = Object.entries(a)
  const right = Object.entries(b)
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const names = compareText(left[i]![0], right[i]![0])
    if (names !== 0) return names
    const values = compareValues(left[i]![1], right[i]![1])
    if (values !== 0) return values
  }
  return left.length - right.length
}

/** Numbers before text before booleans, as structured-merge-diff orders values. */
function compareValues(a: unknown, b: unknown): number {
  const rank = (value: unknown) => ['number', 'string', 'boolean'].indexOf(typeof value)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  return rank(a) - rank(b)
}

/** By code point, as Go compares strings; `<` of JavaScript differs only above U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
