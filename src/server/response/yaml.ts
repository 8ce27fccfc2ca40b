// YAML as Kubernetes reads and writes it: go-yaml version 2, that is YAML 1.1 with exceptions.
//
// js-yaml's own YAML 1.1 tags differ from go-yaml where manifests notice: 12:30:45 is text there,
// and 1e3 is a number.

import {
  CORE_SCHEMA,
  constructFromEvents,
  defineScalarTag,
  dump,
  EVENT_ID,
  type Event,
  getScalarValue,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  YAMLException,
} from 'js-yaml'
import { JsonSyntaxError, parseJson, plainJson } from '../../api/codec/json.ts'
import { setOwn } from '../../lib/own.ts'

const BOOLEANS = new Map<string, boolean>()
for (const word of ['y', 'yes', 'on', 'true']) addBoolean(word, true)
for (const word of ['n', 'no', 'off', 'false']) addBoolean(word, false)

function addBoolean(word: string, value: boolean): void {
  const upper = word.toUpperCase()
  for (const form of [word, upper, upper[0] + word.slice(1)]) BOOLEANS.set(form, value)
}

const bool = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
  implicit: true,
  resolve: (source) => BOOLEANS.get(source) ?? NOT_RESOLVED,
  identify: (value) => typeof value === 'boolean',
  represent: String,
})

const int = defineScalarTag<number>('tag:yaml.org,2002:int', {
  implicit: true,
  implicitFirstChars: [...'+-0123456789'],
  resolve: (source) => parseInteger(source) ?? NOT_RESOLVED,
  identify: (value) => Number.isInteger(value),
  represent: String,
})

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/

const float = defineScalarTag<number>('tag:yaml.org,2002:float', {
  implicit: true,
  implicitFirstChars: [...'+-.0123456789'],
  resolve: (source) => {
    const plain = source.replaceAll('_', '')
    return FLOAT.test(plain) ? Number(plain) : NOT_RESOLVED
  },
  identify: (value) => typeof value === 'number' && !Number.isInteger(value),
  represent: String,
})

/** Octal with a leading zero, as file modes are written: 0644 is 420. */
function parseInteger(source: string): number | undefined {
  const match = /^([-+]?)(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/.exec(source)
  if (!match) return undefined
  const digits = match[2]!.replaceAll('_', '')
  const value = /^0[0-9]/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  // 089 is no octal number, so go-yaml takes it for a float.
  if (Number.isNaN(value) || (/^0[0-9]/.test(digits) && /[89]/.test(digits))) return undefined
  return match[1] === '-' ? -value : value
}

const GO_YAML = CORE_SCHEMA.withTags(mergeTag, bool, int, float)

const DEPTH_MAX = 1000
/** More repeated keys than these are not told; as many as the decoder of JSON tells. */
const DUPLICATES_MAX = 100
/** Keys that `<<` brings in, all together. */
const MERGED_KEYS_MAX = 100_000
/** How many nodes a document may have whose aliases are counted leniently, and strictly. */
const ALIAS_NODES_LOW = 400_000
const ALIAS_NODES_HIGH = 4_000_000
/** Text that aliases repeat, all together: as much as a body may have without them. */
const ALIASED_LETTERS_MAX = 3 * 1024 * 1024

export type ParsedYaml = {
  value: unknown
  /** Keys that were set twice, with their lines; the last one wins, as in JSON. */
  duplicates: readonly { line: number; key: string }[]
}

/** The text is no YAML document. The message is go-yaml's where it is known: `line 2: …`. */
export class YamlError extends Error {
  override readonly name = 'YamlError'
}

/** Throws YamlError. */
export function parseYaml(text: string): ParsedYaml {
  try {
    return parse(text)
  } catch (error) {
    throw new YamlError(faultOf(error, text))
  }
}

/** What js-yaml says, and what go-yaml says to the same. */
const GO_WORDS: readonly (readonly [RegExp, string])[] = [
  [/unexpected end of the stream within a flow collection/, "did not find expected ',' or ']'"],
  [/missed comma between flow collection entries/, "did not find expected ',' or '}'"],
  [
    /nested mappings|mapping values are not allowed/,
    'mapping values are not allowed in this context',
  ],
  [/tab characters|indentation/, 'found character that cannot start any token'],
  [/end of the stream or a document separator/, 'did not find expected <document start>'],
  [
    /unexpected end of the document within a (single|double) quoted/,
    'found unexpected end of stream',
  ],
]

/** The text ends where a value of a list or map should begin. */
const ENDS_OPEN = /[[{,:]\s*$/

function faultOf(error: unknown, text: string): string {
  if (!(error instanceof YAMLException)) return error instanceof Error ? error.message : `${error}`
  const known = GO_WORDS.find(([said]) => said.test(error.reason))?.[1] ?? error.reason
  const isOpen = known.startsWith('did not find expected') && ENDS_OPEN.test(text)
  const words = isOpen ? 'did not find expected node content' : known
  return error.mark === undefined ? words : `line ${error.mark.line + 1}: ${words}`
}

function parse(text: string): ParsedYaml {
  const json = asJson(text)
  if (json !== undefined) return { value: json, duplicates: [] }
  const source = firstDocument(text)
  if (source.trim() === '') return { value: null, duplicates: [] }
  const events = parseEvents(source, { maxDepth: DEPTH_MAX })
  const { duplicates, hasAliases } = survey(source, events)
  const [value = null] = constructFromEvents(events, {
    source,
    schema: GO_YAML,
    json: true,
    maxTotalMergeKeys: MERGED_KEYS_MAX,
  })
  return { value: hasAliases ? new Expansion(source.length).of(value) : value, duplicates }
}

/** JSON is YAML, what most programs send, and read ten times as fast. */
function asJson(text: string): unknown {
  if (text[0] !== '{') return undefined
  try {
    const parsed = parseJson(text)
    return parsed.repeated === undefined ? plainJson(parsed) : undefined
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined
    throw error
  }
}

/** What follows the first document is not even looked at, as by go-yaml. */
function firstDocument(text: string): string {
  let hasBegun = false
  for (let at = 0; at < text.length; at = nextLine(text, at)) {
    const isMark = /^(---|\.\.\.)([ \t\r\n]|$)/.test(text.slice(at, at + 4))
    if (isMark && (hasBegun || text[at] === '.')) return text.slice(0, at)
    SKIPPED.lastIndex = at
    if (isMark || !SKIPPED.test(text)) hasBegun = true
  }
  return text
}

/** A line that is empty, a comment or a directive. */
const SKIPPED = /[ \t]*(?:[#%\r\n]|$)/y

function nextLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

type Level = { keys: Set<string> | undefined; expectsKey: boolean; isOpen: boolean }

/** What the events say that the value no longer does. Throws YamlError. */
function survey(text: string, events: readonly Event[]) {
  const duplicates: { line: number; key: string }[] = []
  const levels: Level[] = []
  /** What an anchor names, when that is a list or map. */
  const anchored = new Map<string, Level | undefined>()
  const lineOf = lineCounter(text)
  let hasAliases = false
  const note = (key: string | undefined, at: number) => {
    const level = levels.at(-1)
    if (level?.keys === undefined) return
    if (level.expectsKey && key !== undefined) {
      const isTold = duplicates.length < DUPLICATES_MAX
      if (isTold && level.keys.has(key)) duplicates.push({ line: lineOf(at), key })
      level.keys.add(key)
    }
    level.expectsKey = !level.expectsKey
  }
  for (const event of events) {
    if (event.type === EVENT_ID.SCALAR) {
      note(getScalarValue(text, event), event.valueStart)
      if (event.anchorStart >= 0) anchored.set(anchorOf(text, event), undefined)
    } else if (event.type === EVENT_ID.ALIAS) {
      const name = anchorOf(text, event)
      if (anchored.get(name)?.isOpen) {
        throw new YamlError(`anchor '${name}' value contains itself`)
      }
      hasAliases = true
      note(undefined, event.anchorStart)
    } else if (event.type === EVENT_ID.POP) {
      const level = levels.pop()
      if (level) level.isOpen = false
    } else if (event.type === EVENT_ID.DOCUMENT) {
      levels.push({ keys: undefined, expectsKey: false, isOpen: true })
    } else {
      const level = levels.at(-1)
      if (level?.keys !== undefined && level.expectsKey) throw new YamlError('invalid map key')
      note(undefined, event.start)
      const keys = event.type === EVENT_ID.MAPPING ? new Set<string>() : undefined
      const opened = { keys, expectsKey: true, isOpen: true }
      levels.push(opened)
      if (event.anchorStart >= 0) anchored.set(anchorOf(text, event), opened)
    }
  }
  return { duplicates, hasAliases }
}

const anchorOf = (text: string, event: { anchorStart: number; anchorEnd: number }) =>
  text.slice(event.anchorStart, event.anchorEnd)

/** Lines of offsets that only grow, so that all of them together cost one pass over the text. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1
  let next = text.indexOf('\n')
  return (offset) => {
    while (next >= 0 && next < offset) {
      line++
      next = text.indexOf('\n', next + 1)
    }
    return line
  }
}

/** Makes a tree of what shares parts by aliases, as far as go-yaml lets a document grow so. */
class Expansion {
  readonly #seen = new Set<object>()
  #nodes = 0
  #aliased = 0
  #letters: number

  /** `letters` is the length of the text: without aliases the values cannot be longer. */
  constructor(letters: number) {
    this.#letters = letters + ALIASED_LETTERS_MAX
  }

  of(value: unknown, within = false): unknown {
    this.#count(value, within)
    if (typeof value !== 'object' || value === null) return value
    const isAlias = within || this.#seen.has(value)
    this.#seen.add(value)
    if (Array.isArray(value)) return value.map((item) => this.of(item, isAlias))
    const copy: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      this.#count(key, isAlias)
      setOwn(copy, key, this.of((value as Record<string, unknown>)[key], isAlias))
    }
    return copy
  }

  #count(value: unknown, isAlias: boolean): void {
    this.#nodes++
    if (isAlias) this.#aliased++
    if (typeof value === 'string') this.#letters -= value.length
    const isExcessive =
      this.#aliased > 100 &&
      this.#nodes > 1000 &&
      this.#aliased / this.#nodes > allowedShare(this.#nodes)
    if (isExcessive || this.#letters < 0) {
      throw new YamlError('document contains excessive aliasing')
    }
  }
}

/** Nearly all of a small document may come from aliases, a tenth of a large one: go-yaml. */
function allowedShare(nodes: number): number {
  const [low, high] = [ALIAS_NODES_LOW, ALIAS_NODES_HIGH]
  if (nodes <= low) return 0.99
  return nodes >= high ? 0.1 : 0.99 - 0.89 * ((nodes - low) / (high - low))
}

/** Keys in order of the alphabet, as upstream prints. */
export function renderYaml(value: unknown): string {
  const plain = JSON.parse(JSON.stringify(value))
  return dump(plain, {
    sortKeys: true,
    noRefs: true,
    lineWidth: -1,
    seqNoIndent: true,
    quoteStyle: 'double',
  })
}
