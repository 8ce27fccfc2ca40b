// Rules that the kinds which keep pods share.

import { percentFaults } from '../names.ts'
import { checkKeptTemplate } from '../pod/template.ts'
import type { LabelSelector, PodTemplateSpec } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import {
  checkLabelSelector,
  isReadableSelector,
  matchesLabels,
  shownSelector,
} from '../validation/labels.ts'
import { checkNonNegative, IMMUTABLE, sameValue } from '../validation/values.ts'

export const SELECTS_NOT = '`selector` does not match template `labels`'

type SelectingSpec = { selector?: LabelSelector | null; template?: PodTemplateSpec }

/** The selector must be there, select something, and select the pods of the template. */
export function checkSelectorAndTemplate(faults: FieldErrors, spec: SelectingSpec) {
  const selector = spec.selector ?? undefined
  if (selector === undefined) faults.required('spec.selector')
  else {
    checkLabelSelector(faults, 'spec.selector', selector)
    const { matchLabels = {}, matchExpressions = [] } = selector
    if (Object.keys(matchLabels).length + matchExpressions.length === 0) {
      faults.invalid(
        'spec.selector',
        shownSelector(selector),
        'empty selector is invalid for deployment',
      )
    }
  }
  if (!isReadableSelector(selector)) {
    return faults.invalid('spec.selector', shownSelector(selector), 'invalid label selector')
  }
  const template = spec.template ?? { spec: { containers: [] } }
  const labels = template.metadata?.labels
  // Without a selector nothing is selected; with an empty one everything is.
  if (selector === undefined || !matchesLabels(selector, labels)) {
    faults.invalid('spec.template.metadata.labels', labels ?? null, SELECTS_NOT)
  }
  checkKeptTemplate(faults, 'spec.template', template, 'ReplicaSet')
}

export function checkSelectorKept(
  faults: FieldErrors,
  selector: LabelSelector | null | undefined,
  old: LabelSelector | null | undefined,
) {
  if (sameValue(selector, old)) return
  faults.invalid('spec.selector', shownSelector(selector), IMMUTABLE)
}

/** A count, or a percentage of one. */
export function checkIntOrPercent(faults: FieldErrors, at: string, value: number | string) {
  if (typeof value === 'number') checkNonNegative(faults, at, value)
  else faults.invalidAll(at, value, percentFaults(value))
}

export function checkAtMostAll(faults: FieldErrors, at: string, value: number | string) {
  if (typeof value === 'string' && percentOf(value) > 100) {
    faults.invalid(at, value, 'must not be greater than 100%')
  }
}

export function isZero(value: number | string): boolean {
  return (typeof value === 'number' ? value : percentOf(value)) === 0
}

function percentOf(text: string): number {
  if (percentFaults(text).length > 0) return Number.parseInt(text, 10) || 0
  return Number(text.slice(0, -1))
}

type Counts = Readonly<Record<string, number | undefined>>

/**
 * Counts are not negative, and parts not larger than the whole. `ready` is what messages call the
 * number of those that are ready.
 */
export function checkCounts(
  faults: FieldErrors,
  counts: Counts,
  partsOfAll: readonly string[],
  ready = 'readyReplicas',
) {
  for (const [name, count] of Object.entries(counts)) {
    checkNonNegative(faults, `status.${name}`, count)
  }
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = counts
  for (const part of partsOfAll) {
    const count = counts[part] ?? 0
    if (count <= replicas) continue
    faults.invalid(`status.${part}`, count, 'cannot be greater than status.replicas')
  }
  if (availableReplicas > readyReplicas) {
    const detail = `cannot be greater than ${ready}`
    faults.invalid('status.availableReplicas', availableReplicas, detail)
  }
}

/** How often names of its revisions collided; such a count never falls. */
export function checkCollisions(
  faults: FieldErrors,
  count: number | undefined,
  before: number | undefined,
) {
  if (before === undefined || (count !== undefined && count >= before)) return
  faults.invalid('status.collisionCount', count ?? 0, 'cannot be decremented')
}
