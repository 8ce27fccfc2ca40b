// What a question for access must say (pkg/apis/authorization/validation).

import type {
  FieldSelectorAttributes,
  FieldSelectorRequirement,
  LabelSelectorAttributes,
  LabelSelectorRequirement,
  SubjectAccessReviewSpec,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelName } from '../../validation/labels.ts'

type Spec = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>

export function checkAttributes(faults: FieldErrors, spec: Spec) {
  const { resourceAttributes, nonResourceAttributes } = spec
  if (resourceAttributes && nonResourceAttributes) {
    const shown = internalPath(nonResourceAttributes)
    const detail = 'cannot be specified in combination with resourceAttributes'
    faults.invalid('spec.nonResourceAttributes', shown, detail)
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
    faults.invalid('spec.resourceAttributes', null, detail)
  }
  const { fieldSelector, labelSelector } = resourceAttributes ?? {}
  const at = 'spec.resourceAttributes'
  checkSelector(faults, `${at}.fieldSelector`, fieldSelector, (path, { key = '' }) => {
    if (key === '') faults.required(`${path}.key`, 'must be specified')
  })
  checkSelector(faults, `${at}.labelSelector`, labelSelector, (path, { key = '' }) => {
    checkLabelName(faults, `${path}.key`, key)
  })
}

/** Paths as messages show them. */
export function internalPath({ path = '', verb = '' }: { path?: string; verb?: string }) {
  return { Path: path, Verb: verb }
}

type Requirement = FieldSelectorRequirement | LabelSelectorRequirement

function checkSelector(
  faults: FieldErrors,
  at: string,
  selector: FieldSelectorAttributes | LabelSelectorAttributes | undefined,
  checkKey: (path: string, requirement: Requirement) => void,
) {
  if (!selector) return
  const { rawSelector = '', requirements } = selector
  const isStructured = (requirements ?? []).length > 0
  if (rawSelector && isStructured) {
    const detail = 'may not specified at the same time as requirements'
    faults.invalid(`${at}.rawSelector`, rawSelector, detail)
  }
  if (!rawSelector && !isStructured) {
    const detail = `when ${at} is specified, requirements or rawSelector is required`
    faults.required(`${at}.requirements`, detail)
  }
  for (const [index, requirement] of (requirements ?? []).entries()) {
    const path = `${at}.requirements[${index}]`
    checkKey(path, requirement)
    checkValues(faults, path, requirement)
  }
}

/** Operators that nobody knows are for the authorizer to make something of. */
function checkValues(faults: FieldErrors, at: string, { operator, values }: Requirement) {
  const hasValues = (values ?? []).length > 0
  if ((operator === 'In' || operator === 'NotIn') && !hasValues) {
    faults.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && hasValues) {
    const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    faults.forbidden(`${at}.values`, detail)
  }
}
