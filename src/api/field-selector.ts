// Field selectors: `metadata.name=a,status.phase!=Running`, with upstream's errors (pkg/fields).

import { SelectorError } from './selector.ts'

export type FieldTerm = {
  readonly field: string
  readonly operator: '=' | '!='
  readonly value: string
}

/** Throws SelectorError. Which fields a kind can be selected by is for the caller to say. */
export function parseFieldSelector(text: string): readonly FieldTerm[] {
  return splitTerms(text)
    .toSorted()
    .filter((term) => term !== '')
    .map((term) => termOf(text, term))
    .filter(({ field, value }) => field !== '' || value !== '')
}

export function matchesFields(
  terms: readonly FieldTerm[],
  read: (field: string) => string,
): boolean {
  return terms.every(({ field, operator, value }) => (read(field) === value) === (operator === '='))
}

/** At commas that no backslash precedes. */
function splitTerms(text: string): string[] {
  const terms: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') {
      at += 1
    } else if (text[at] === ',') {
      terms.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...terms, text.slice(start)]
}

function termOf(selector: string, term: string): FieldTerm {
  const match = /!=|==|=/.exec(term)
  if (match === null) {
    throw new SelectorError(`invalid selector: '${selector}'; can't understand '${term}'`)
  }
  return {
    field: term.slice(0, match.index),
    operator: match[0] === '!=' ? '!=' : '=',
    value: unescaped(term.slice(match.index + match[0].length)),
  }
}

function unescaped(value: string): string {
  let text = ''
  for (let at = 0; at < value.length; at++) {
    const sign = value[at]!
    if (sign === ',' || sign === '=') {
      throw new SelectorError(
        `invalid field selector: unescaped character in value: ${sign.charCodeAt(0)}`,
      )
    }
    if (sign !== '\\') {
      text += sign
      continue
    }
    at += 1
    const next = value[at] ?? ''
    if (!'\\,='.includes(next) || next === '') {
      throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next}`)
    }
    text += next
  }
  return text
}
