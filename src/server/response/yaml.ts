// YAML as Kubernetes reads and writes it: go-yaml version 2, that is YAML 1.1 with exceptions.
//
// js-yaml's own YAML 1.1 tags differ from go-yaml where manifests notice: 12:30:45 is text there,
// and 1e3 is a number.

import {
  CORE_SCHEMA,
  defineScalarTag,
  dump,
  EVENT_ID,
  getScalarValue,
  load,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  YAMLException,
} from 'js-yaml'

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

/** Aliases beyond this are an attack, not a manifest. */
const ALIASES_MAX = 100

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
  if (text.trim() === '') return { value: null, duplicates: [] }
  const options = { schema: GO_YAML, maxAliases: ALIASES_MAX, maxDepth: 1000 }
  const value = load(text, { ...options, json: true })
  return { value, duplicates: duplicateKeys(text) }
}

type Level = { keys: Set<string> | undefined; expectsKey: boolean }

function duplicateKeys(text: string): { line: number; key: string }[] {
  const found: { line: number; key: string }[] = []
  const levels: Level[] = []
  const note = (key: string | undefined, at: number) => {
    const level = levels.at(-1)
    if (level?.keys === undefined) return
    if (level.expectsKey && key !== undefined) {
      if (level.keys.has(key)) found.push({ line: lineOf(text, at), key })
      level.keys.add(key)
    }
    level.expectsKey = !level.expectsKey
  }
  for (const event of parseEvents(text, { maxDepth: 1000 })) {
    if (event.type === EVENT_ID.SCALAR) note(getScalarValue(text, event), event.valueStart)
    else if (event.type === EVENT_ID.ALIAS) note(undefined, event.anchorStart)
    else if (event.type === EVENT_ID.POP) levels.pop()
    else if (event.type === EVENT_ID.DOCUMENT) levels.push({ keys: undefined, expectsKey: false })
    else {
      note(undefined, event.start)
      const keys = event.type === EVENT_ID.MAPPING ? new Set<string>() : undefined
      levels.push({ keys, expectsKey: true })
    }
  }
  return found
}

function lineOf(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

/** Keys in order of the alphabet, as upstream prints. */
export function renderYaml(value: unknown): string {
  const plain = JSON.parse(JSON.stringify(value))
  return dump(plain, {
    ...{ sortKeys: true, noRefs: true, lineWidth: -1, seqNoIndent: true, quoteStyle: 'double' },
  })
}
