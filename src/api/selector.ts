// Label selectors: `app in (a,b),tier!=web,!old` of requests, and LabelSelector objects.
//
// Both become requirements, of which all must hold. Errors are upstream's words (pkg/labels).

import { own } from '../lib/own.ts'
import { labelValueFaults, qualifiedNameFaults } from './names.ts'
import { compare, integerOf } from './requirement.ts'
import type { LabelSelector } from './schema/generated/types.ts'

export type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt'

export type Requirement = {
  readonly key: string
  readonly operator: Operator
  /** Sorted, without repetition. */
  readonly values: readonly string[]
}

/** The text or object is no selector. The message is upstream's. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError'
}

/** Throws SelectorError. Requirements are in the order of their keys. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const requirements = new Parser(tokensOf(text)).selector()
  return requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

/** The text form, as status.selector of a Scale has it. */
export function formatLabelSelector(requirements: readonly Requirement[]): string {
  return requirements.map(formatRequirement).join(',')
}

export function matchesLabels(
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  for (const requirement of requirements) {
    if (!meets(requirement, own(labels, requirement.key))) return false
  }
  return true
}

/**
 * The requirements of a LabelSelector object: an empty one matches everything (no requirements), an
 * absent one nothing (undefined). Throws SelectorError.
 */
export function requirementsOf(
  selector: LabelSelector | undefined,
): readonly Requirement[] | undefined {
  if (selector === undefined) return undefined
  const requirements: Requirement[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push(requirement(key, '=', [value]))
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const short = own(OPERATORS_OF_OBJECTS, operator)
    if (short === undefined) {
      throw new SelectorError(`${JSON.stringify(operator)} is not a valid label selector operator`)
    }
    requirements.push(requirement(key, short, values))
  }
  return requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

/** Requirements of a plain map of labels, as ReplicationControllers and Services have it. */
export function requirementsOfMap(
  labels: Readonly<Record<string, string>> | undefined,
): readonly Requirement[] {
  return requirementsOf({ matchLabels: { ...labels } })!
}

const OPERATORS_OF_OBJECTS: Readonly<Record<string, Operator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
}

function meets({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case 'gt':
      return compare(value, values[0], (left, right) => left > right)
    case 'lt':
      return compare(value, values[0], (left, right) => left < right)
  }
}

function formatRequirement({ key, operator, values }: Requirement): string {
  const list = values.join(',')
  switch (operator) {
    case 'exists':
      return key
    case '!':
      return `!${key}`
    case 'in':
    case 'notin':
      return `${key} ${operator} (${list})`
    case 'gt':
      return `${key}>${list}`
    case 'lt':
      return `${key}<${list}`
    default:
      return `${key}${operator}${list}`
  }
}

/** Checks what a requirement may say, with all faults in one message. */
function requirement(key: string, operator: Operator, given: readonly string[]): Requirement {
  const faults = keyFaults(key)
  const values = [...new Set(given)].toSorted()
  const list = JSON.stringify(values)
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    const why = "for 'in', 'notin' operators, values set can't be empty"
    faults.push(`values: Invalid value: ${list}: ${why}`)
  }
  if ((operator === 'exists' || operator === '!') && values.length > 0) {
    const why = 'values set must be empty for exists and does not exist'
    faults.push(`values: Invalid value: ${list}: ${why}`)
  }
  values.forEach((value, index) => {
    if ((operator === 'gt' || operator === 'lt') && integerOf(value) === undefined) {
      const why = "for 'Gt', 'Lt' operators, the value must be an integer"
      faults.push(`values[${index}]: Invalid value: ${JSON.stringify(value)}: ${why}`)
    }
  })
  values.forEach((value, index) => {
    const why = labelValueFaults(value)
    if (why.length === 0) return
    const path = `values[${index}][${key}]`
    faults.push(`${path}: Invalid value: ${JSON.stringify(value)}: ${why.join('; ')}`)
  })
  if (faults.length > 0) throw new SelectorError(aggregate(faults))
  return { key, operator, values }
}

function keyFaults(key: string): string[] {
  const why = qualifiedNameFaults(key)
  if (why.length === 0) return []
  return [`key: Invalid value: ${JSON.stringify(key)}: ${why.join('; ')}`]
}

function aggregate(faults: readonly string[]): string {
  return faults.length === 1 ? faults[0]! : `[${[...new Set(faults)].join(', ')}]`
}

const WORDS: Readonly<Record<string, Kind>> = {
  ')': ')',
  ',': ',',
  '!': '!',
  '==': '==',
  '=': '=',
  '>': 'gt',
  in: 'in',
  '<': 'lt',
  '!=': '!=',
  notin: 'notin',
  '(': '(',
}

type Kind = '(' | ')' | ',' | 'identifier' | 'end' | 'error' | Operator
type Token = { kind: Kind; text: string }

const SPECIAL = '=!(),><'
const SPACE = ' \t\r\n'
const END: Token = { kind: 'end', text: '' }

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (SPACE.includes(text[at]!)) {
      at += 1
      continue
    }
    const token = SPECIAL.includes(text[at]!) ? symbolAt(text, at) : wordAt(text, at)
    tokens.push(token.token)
    at += token.length
  }
  return tokens
}

/** The longest symbol that begins here; two signs at most make one. */
function symbolAt(text: string, at: number): { token: Token; length: number } {
  const two = text.slice(at, at + 2)
  const symbol = own(WORDS, two) !== undefined && two.length === 2 ? two : text[at]!
  return { token: { kind: own(WORDS, symbol) ?? 'error', text: symbol }, length: symbol.length }
}

function wordAt(text: string, at: number): { token: Token; length: number } {
  let end = at
  while (end < text.length && !SPECIAL.includes(text[end]!) && !SPACE.includes(text[end]!)) end += 1
  const word = text.slice(at, end)
  const kind = word === 'in' || word === 'notin' ? word : 'identifier'
  return { token: { kind, text: word }, length: word.length }
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  selector(): Requirement[] {
    const requirements: Requirement[] = []
    while (true) {
      const token = this.#peek()
      if (token.kind === 'end') return requirements
      if (token.kind !== 'identifier' && token.kind !== '!') {
        throw expected(token, "!, identifier, or 'end of string'")
      }
      requirements.push(this.#requirementOrWhyNot())
      const separator = this.#take()
      if (separator.kind === 'end') return requirements
      if (separator.kind !== ',') throw expected(separator, "',' or 'end of string'")
      const next = this.#peek()
      if (next.kind !== 'identifier' && next.kind !== '!') {
        throw expected(next, "identifier after ','")
      }
    }
  }

  #requirementOrWhyNot(): Requirement {
    try {
      return this.#requirement()
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error
      throw new SelectorError(`unable to parse requirement: ${error.message}`)
    }
  }

  #requirement(): Requirement {
    const isNegated = this.#peek().kind === '!'
    if (isNegated) this.#take()
    const key = this.#take()
    if (key.kind !== 'identifier') throw expected(key, 'identifier')
    const why = qualifiedNameFaults(key.text)
    if (why.length > 0) {
      const value = JSON.stringify(key.text)
      throw new SelectorError(`<nil>: Invalid value: ${value}: ${why.join('; ')}`)
    }
    if (isNegated) return requirement(key.text, '!', [])
    const { kind } = this.#peek()
    if (kind === 'end' || kind === ',') return requirement(key.text, 'exists', [])
    const operator = this.#operator()
    const isSet = operator === 'in' || operator === 'notin'
    return requirement(key.text, operator, isSet ? this.#values() : [this.#value()])
  }

  #operator(): Operator {
    const token = this.#takeAny()
    switch (token.kind) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
      case 'gt':
      case 'lt':
        return token.kind
      default:
        throw expected(token, 'in, notin, =, ==, !=, gt, lt')
    }
  }

  #value(): string {
    const { kind } = this.#peek()
    if (kind === 'end' || kind === ',') return ''
    const token = this.#take()
    if (token.kind !== 'identifier') throw expected(token, 'identifier')
    return token.text
  }

  #values(): string[] {
    const open = this.#take()
    if (open.kind !== '(') throw new SelectorError(`found '${open.text}' expected: '('`)
    const first = this.#peek()
    if (first.kind === ')') {
      this.#take()
      return ['']
    }
    if (first.kind !== 'identifier' && first.kind !== ',') {
      throw expected(first, "',', ')' or identifier")
    }
    const values = this.#list()
    const close = this.#take()
    if (close.kind !== ')') throw expected(first, "')'")
    return values
  }

  /** Values between commas; nothing between two of them is an empty value. */
  #list(): string[] {
    const values: string[] = []
    while (true) {
      const token = this.#take()
      if (token.kind === 'identifier') {
        values.push(token.text)
        const next = this.#peek()
        if (next.kind === ',') continue
        if (next.kind === ')') return values
        throw expected(next, "',' or ')'")
      }
      if (token.kind !== ',') throw expected(token, "',', or identifier")
      if (values.length === 0) values.push('')
      const next = this.#peek().kind
      if (next === ')' || next === ',') values.push('')
      if (next === ')') return values
    }
  }

  /** `in` and `notin` are operators only where one is due; elsewhere they are names. */
  #peek(): Token {
    return asValue(this.#tokens[this.#at] ?? END)
  }

  #take(): Token {
    return asValue(this.#takeAny())
  }

  #takeAny(): Token {
    const token = this.#tokens[this.#at] ?? END
    this.#at += 1
    return token
  }
}

function asValue(token: Token): Token {
  const isWord = token.kind === 'in' || token.kind === 'notin'
  return isWord ? { kind: 'identifier', text: token.text } : token
}

function expected(token: Token, what: string): SelectorError {
  return new SelectorError(`found '${token.text}', expected: ${what}`)
}
