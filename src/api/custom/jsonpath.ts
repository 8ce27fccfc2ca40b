// The paths of printer columns and selectable fields: what kubectl's JSONPath finds values with.
//
//   .spec.replicas   .status.conditions[?(@.type=="Ready")].status   .metadata.labels['a\.b']
//   .spec.ports[*].name   .items[0]   .items[-1:]   ..image

import { own } from '../../lib/own.ts'
import { isObject } from '../patch/value.ts'

type Step =
  | { readonly is: 'field'; readonly name: string }
  | { readonly is: 'every' }
  | { readonly is: 'below' }
  | { readonly is: 'slice'; readonly from?: number; readonly to?: number; readonly by: number }
  | { readonly is: 'index'; readonly at: number }
  | { readonly is: 'union'; readonly steps: readonly Step[] }
  | {
      readonly is: 'filter'
      readonly left: Operand
      readonly operator: string
      readonly right?: Operand
    }

type Operand = { readonly path: JsonPath } | { readonly value: unknown }
export type JsonPath = readonly Step[]

/** Undefined for a text that is no path. Filters do not nest, so reading takes linear time. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = []
  let at = 0
  while (at < text.length) {
    if (text.startsWith('..', at)) {
      steps.push({ is: 'below' })
      at += text[at + 2] === '[' ? 2 : 1
    } else if (text[at] === '.') {
      const { name, end } = nameAt(text, at + 1)
      if (name === '*') steps.push({ is: 'every' })
      else if (name !== '') steps.push({ is: 'field', name })
      at = end
    } else if (text[at] === '[') {
      const end = closing(text, at)
      const step = end === undefined ? undefined : bracketStep(text.slice(at + 1, end))
      if (step === undefined || end === undefined) return undefined
      steps.push(step)
      at = end + 1
    } else {
      const { name, end } = nameAt(text, at)
      if (end === at) return undefined
      steps.push({ is: 'field', name })
      at = end
    }
  }
  return steps
}

function nameAt(text: string, start: number): { name: string; end: number } {
  let name = ''
  let end = start
  for (; end < text.length && text[end] !== '.' && text[end] !== '['; end++) {
    if (text[end] === '\\' && end + 1 < text.length) end++
    name += text[end]
  }
  return { name, end }
}

/** Where the bracket that opens at `start` is closed; those in quotes do not count. */
function closing(text: string, start: number): number | undefined {
  let depth = 0
  let quote = ''
  for (let at = start; at < text.length; at++) {
    const sign = text[at]!
    if (quote !== '') {
      if (sign === '\\') at++
      else if (sign === quote) quote = ''
    } else if (sign === '"' || sign === "'") quote = sign
    else if (sign === '[') depth++
    else if (sign === ']' && --depth === 0) return at
  }
  return undefined
}

function bracketStep(inside: string): Step | undefined {
  const text = inside.trim()
  if (text === '*') return { is: 'every' }
  const filter = /^\?\((.*)\)$/s.exec(text)
  if (filter !== null) return filterStep(filter[1]!)
  const quoted = quotedText(text)
  if (quoted !== undefined) return { is: 'field', name: quoted }
  if (text.includes(',')) {
    const steps = text.split(',').map(bracketStep)
    return steps.includes(undefined) ? undefined : { is: 'union', steps: steps as Step[] }
  }
  if (/^-?\d+$/.test(text)) return { is: 'index', at: Number(text) }
  const slice = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(text)
  if (slice === null) return undefined
  const [, from, to, by] = slice
  return {
    is: 'slice',
    by: Math.max(Number(by ?? 1), 1),
    ...(from === undefined ? {} : { from: Number(from) }),
    ...(to === undefined ? {} : { to: Number(to) }),
  }
}

const OPERATORS = ['==', '!=', '<=', '>=', '<', '>'] as const

function filterStep(text: string): Step | undefined {
  const found = splitAtOperator(text)
  const left = operandOf(found.left)
  if (left === undefined) return undefined
  if (found.operator === '') return { is: 'filter', left, operator: 'exists' }
  const right = operandOf(found.right)
  return right && { is: 'filter', left, operator: found.operator, right }
}

function splitAtOperator(text: string): { left: string; operator: string; right: string } {
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!
    if (quote !== '') quote = sign === quote ? '' : quote
    else if (sign === '"' || sign === "'") quote = sign
    else {
      const operator = OPERATORS.find((one) => text.startsWith(one, at))
      if (operator === undefined) continue
      return { left: text.slice(0, at), operator, right: text.slice(at + operator.length) }
    }
  }
  return { left: text, operator: '', right: '' }
}

function operandOf(text: string): Operand | undefined {
  const trimmed = text.trim()
  if (trimmed.startsWith('@')) {
    const path = trimmed.includes('?(') ? undefined : parseJsonPath(trimmed.slice(1))
    return path && { path }
  }
  const quoted = quotedText(trimmed)
  if (quoted !== undefined) return { value: quoted }
  if (trimmed === 'true' || trimmed === 'false') return { value: trimmed === 'true' }
  return /^-?\d+(\.\d+)?$/.test(trimmed) ? { value: Number(trimmed) } : undefined
}

function quotedText(text: string): string | undefined {
  const quote = text[0]
  if (text.length < 2 || (quote !== '"' && quote !== "'") || text.at(-1) !== quote) return undefined
  return text.slice(1, -1).replace(/\\(.)/g, '$1')
}

/** No path of a column finds more than this; the rest is left out. */
const FOUND_MAX = 10_000

/** Every value that the path leads to. */
export function findAll(root: unknown, path: JsonPath): unknown[] {
  let found: unknown[] = [root]
  for (const step of path) found = found.flatMap((value) => after(value, step)).slice(0, FOUND_MAX)
  return found
}

function after(value: unknown, step: Step): unknown[] {
  switch (step.is) {
    case 'field': {
      const inner = isObject(value) ? own(value, step.name) : undefined
      return inner === undefined ? [] : [inner]
    }
    case 'every':
      return childrenOf(value)
    case 'below':
      return [value, ...below(value)]
    case 'index': {
      const at = Array.isArray(value) ? value.at(step.at) : undefined
      return at === undefined ? [] : [at]
    }
    case 'slice':
      return Array.isArray(value)
        ? value.slice(step.from, step.to).filter((_, i) => i % step.by === 0)
        : []
    case 'union':
      return step.steps.flatMap((one) => after(value, one))
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => holds(item, step)) : []
  }
}

function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return isObject(value)
    ? Object.keys(value)
        .sort()
        .map((name) => value[name])
    : []
}

/** What comes first in the text comes first here. */
function below(value: unknown): unknown[] {
  const found: unknown[] = []
  const stack = childrenOf(value).toReversed()
  while (stack.length > 0 && found.length < FOUND_MAX) {
    const next = stack.pop()
    found.push(next)
    stack.push(...childrenOf(next).toReversed())
  }
  return found
}

function holds(item: unknown, { left, operator, right }: Step & { is: 'filter' }): boolean {
  const a = valuesOf(item, left)
  if (operator === 'exists') return a.length > 0
  const b = right === undefined ? [] : valuesOf(item, right)
  if (a.length !== 1 || b.length !== 1) return false
  return compare(a[0], operator, b[0])
}

function valuesOf(item: unknown, operand: Operand): unknown[] {
  return 'path' in operand ? findAll(item, operand.path) : [operand.value]
}

function compare(a: unknown, operator: string, b: unknown): boolean {
  if (operator === '==') return a === b
  if (operator === '!=') return a !== b
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false
  const [x, y] = [a, b as typeof a]
  if (operator === '<') return x < y
  if (operator === '<=') return x <= y
  return operator === '>' ? x > y : x >= y
}
