// Labels, annotations and selectors of labels.

import { own } from '../../lib/own.ts'
import { labelValueFaults, qualifiedNameFaults } from '../names.ts'
import { meets } from '../requirement.ts'
import type { LabelSelector, LabelSelectorRequirement } from '../schema/generated/types.ts'
import type { FieldErrors } from './field-errors.ts'

type Labels = Readonly<Record<string, string>>

const ANNOTATION_BYTES_MAX = 256 * 1024

export function checkLabels(faults: FieldErrors, at: string, labels: Labels | undefined) {
  for (const [key, value] of Object.entries(labels ?? {})) {
    checkLabelName(faults, at, key)
    faults.invalidAll(at, value, labelValueFaults(value))
  }
}

export function checkLabelName(faults: FieldErrors, at: string, name: string) {
  faults.invalidAll(at, name, qualifiedNameFaults(name))
}

export function checkAnnotations(faults: FieldErrors, at: string, annotations: Labels | undefined) {
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    faults.invalidAll(at, key, qualifiedNameFaults(key.toLowerCase()))
  }
  if (bytes > ANNOTATION_BYTES_MAX) faults.tooLong(at, ANNOTATION_BYTES_MAX)
}

export function checkLabelSelector(
  faults: FieldErrors,
  at: string,
  selector: LabelSelector | undefined | null,
) {
  checkLabels(faults, `${at}.matchLabels`, selector?.matchLabels)
  for (const [index, requirement] of (selector?.matchExpressions ?? []).entries()) {
    checkRequirement(faults, `${at}.matchExpressions[${index}]`, requirement)
  }
}

/** As messages show it: fields in the order of their type, whatever order they were sent in. */
export function shownSelector(selector: LabelSelector | undefined | null) {
  if (!selector) return selector ?? null
  const { matchLabels, matchExpressions } = selector
  return {
    ...(matchLabels && { matchLabels: sortedByKey(matchLabels) }),
    ...(matchExpressions && {
      matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
        key,
        operator,
        ...(values && { values }),
      })),
    }),
  }
}

/** As messages show labels: by key, and null when there are none. */
export function shownLabels(labels: Labels | undefined): Labels | null {
  return labels === undefined ? null : sortedByKey(labels)
}

/** Maps as messages show them. */
export function sortedByKey(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function checkRequirement(faults: FieldErrors, at: string, requirement: LabelSelectorRequirement) {
  const { key = '', operator = '', values = [] } = requirement
  checkOperator(faults, at, operator, values)
  checkLabelName(faults, `${at}.key`, key)
  for (const [index, value] of values.entries()) {
    faults.invalidAll(`${at}.values[${index}]`, value, labelValueFaults(value))
  }
}

function checkOperator(
  faults: FieldErrors,
  at: string,
  operator: string,
  values: readonly string[],
) {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) return
      return faults.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return
      return faults.forbidden(
        `${at}.values`,
        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      )
    default:
      return faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
  }
}

/** Whether the selector can be read, so that it may be matched against labels. */
export function isReadableSelector(selector: LabelSelector | undefined | null): boolean {
  const expressions = selector?.matchExpressions ?? []
  const areRead = expressions.every(({ key, operator, values = [] }) => {
    const wantsValues = operator === 'In' || operator === 'NotIn'
    const isKnown = wantsValues || operator === 'Exists' || operator === 'DoesNotExist'
    if (!isKnown || wantsValues !== values.length > 0) return false
    return isLabel(key, values)
  })
  const labels = Object.entries(selector?.matchLabels ?? {})
  return areRead && labels.every(([key, value]) => isLabel(key, [value]))
}

function isLabel(key: string, values: readonly string[]): boolean {
  return (
    qualifiedNameFaults(key).length === 0 &&
    values.every((value) => labelValueFaults(value).length === 0)
  )
}

export function matchesLabels(
  selector: LabelSelector | undefined | null,
  labels: Labels = {},
): boolean {
  const wanted = Object.entries(selector?.matchLabels ?? {})
  if (!wanted.every(([key, value]) => own(labels, key) === value)) return false
  return (selector?.matchExpressions ?? []).every((requirement) =>
    meets(requirement, own(labels, requirement.key)),
  )
}
