// Paths of declared fields, as selectable fields and rules name them: `.spec.a`, `['x.y']`.

import { own } from '../../lib/own.ts'
import { additionalOf, itemsOf, type Props } from './schema.ts'

type Found = { readonly names: readonly string[]; readonly schema: Props }

const STEP = /^(?:\.([a-zA-Z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\])/
const NO_FIELD = 'does not refer to a valid field'

/** The schema of the field, or why there is none. Only maps and objects are gone into. */
export function fieldAt(path: string, schema: Props): Found | { readonly fault: string } {
  const names: string[] = []
  let here: Props = schema
  for (let rest = path; rest !== ''; ) {
    const step = STEP.exec(rest)
    if (step === null) return { fault: `expected [ or . but got: ${rest[0]}` }
    const name = step[1] ?? (step[2] ?? step[3] ?? '').replace(/\\(.)/g, '$1')
    const next =
      itemsOf(here) === undefined ? declared(here, name, step[1] === undefined) : undefined
    if (next === undefined) return { fault: NO_FIELD }
    names.push(name)
    here = next
    rest = rest.slice(step[0].length)
  }
  return { names, schema: here }
}

/** Keys of maps are named in brackets. */
function declared(schema: Props, name: string, isBracketed: boolean): Props | undefined {
  return own(schema.properties, name) ?? (isBracketed ? additionalOf(schema) : undefined)
}
