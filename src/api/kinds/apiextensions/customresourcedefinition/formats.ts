// Warnings of a definition: formats that nobody checks, rules that nobody evaluates here.

import { isKnown } from '../../../custom/formats.ts'
import { type Props, RULES, someSchema } from '../../../custom/schema.ts'
import type { CustomResourceDefinition } from '../../../schema/generated/types.ts'
import { internalOf } from './internal.ts'

const NOT_EVALUATED =
  'x-kubernetes-validations are stored and published, but not evaluated by this server yet'

/** Of what `old` did not say already. */
export function definitionWarnings(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): string[] {
  const before = new Set(old === undefined ? [] : warningsOf(old))
  return warningsOf(definition).filter((warning) => !before.has(warning))
}

function warningsOf(definition: CustomResourceDefinition): string[] {
  const { schema, versions } = internalOf(definition.spec)
  const schemas = [schema, ...versions.map((version) => version.schema?.openAPIV3Schema)]
  const warnings = schemas.flatMap(unknownFormats)
  const hasRules = schemas.some((one) => someSchema(one, (inner) => Boolean(inner[RULES]?.length)))
  return hasRules ? [...warnings, NOT_EVALUATED] : warnings
}

function unknownFormats(schema: Props | undefined): string[] {
  const found: string[] = []
  someSchema(schema, ({ type, format }) => {
    if (format && !isKnown(type, format)) {
      found.push(`unrecognized format ${JSON.stringify(format)}`)
    }
    return false
  })
  return found
}
