// How often the template has changed. Upstream's stored form has a field for it; in v1 it is an
// annotation that nobody but the server sets.

import { own } from '../../../../lib/own.ts'
import { DecodeError } from '../../../codec/decode.ts'
import type { DaemonSet } from '../../../schema/generated/types.ts'
import { sameValue } from '../../../validation/values.ts'

export const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation'
const INTEGER = /^[-+]?\d+$/
const INT64_MAX = 2n ** 63n - 1n

/** 0 when nothing says it. Throws DecodeError for what is no number of 64 bits. */
export function templateGenerationOf({ metadata }: DaemonSet): bigint {
  const text = own(metadata.annotations, TEMPLATE_GENERATION)
  if (text === undefined) return 0n
  const refuse = (why: string) => {
    return new DecodeError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`)
  }
  if (!INTEGER.test(text)) throw refuse('invalid syntax')
  const digits = text.replace('+', '').replace(/^(-?)0+(?=\d)/, '$1')
  // Twenty characters hold every number that fits; longer ones need not be read.
  const number = digits.length > 20 ? INT64_MAX + 1n : BigInt(digits)
  if (number > INT64_MAX || number < -INT64_MAX - 1n) throw refuse('value out of range')
  return number
}

export function firstTemplateGeneration(set: DaemonSet) {
  const sent = templateGenerationOf(set)
  setTemplateGeneration(set, sent < 1n ? 1n : sent)
}

export function nextTemplateGeneration(set: DaemonSet, old: DaemonSet) {
  const isSame = sameValue(set.spec.template, old.spec.template)
  setTemplateGeneration(set, templateGenerationOf(old) + (isSame ? 0n : 1n))
}

export function setTemplateGeneration({ metadata }: DaemonSet, generation: bigint) {
  metadata.annotations = { ...metadata.annotations, [TEMPLATE_GENERATION]: `${generation}` }
}
