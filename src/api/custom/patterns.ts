// Regular expressions that somebody else wrote: RE2's, as upstream has them, linear in the text.

import { RE2JS } from 're2js'

/** The compiled pattern, or why it is none, in Go's words. */
export type Pattern = { readonly test: (text: string) => boolean } | { readonly fault: string }

/** Patterns of schemas that are in use; a schema has few, and they are all it ever asks for. */
const PATTERNS_MAX = 2000
const compiled = new Map<string, Pattern>()

export function patternOf(source: string): Pattern {
  const known = compiled.get(source)
  if (known !== undefined) return known
  if (compiled.size >= PATTERNS_MAX) compiled.clear()
  const pattern = compile(source)
  compiled.set(source, pattern)
  return pattern
}

function compile(source: string): Pattern {
  try {
    const expression = RE2JS.compile(source)
    return { test: (text) => expression.matcher(text).find() }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}
