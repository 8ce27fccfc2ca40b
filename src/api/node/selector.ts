// Which nodes a selector means, as pods and volumes write it (pkg/apis/core/validation).

import { isDnsSubdomainName, labelValueFaults } from '../names.ts'
import type {
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
} from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkLabelName } from '../validation/labels.ts'

export function checkNodeSelector(faults: FieldErrors, at: string, selector: NodeSelector) {
  const path = `${at}.nodeSelectorTerms`
  const terms = selector.nodeSelectorTerms ?? []
  if (terms.length === 0) faults.required(path, 'must have at least one node selector term')
  for (const [index, term] of terms.entries()) {
    checkNodeTerm(faults, `${path}[${index}]`, term, true)
  }
}

export function checkNodeTerm(
  faults: FieldErrors,
  at: string,
  term: NodeSelectorTerm,
  checksValues: boolean,
) {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    checkRequirement(faults, `${at}.matchExpressions[${index}]`, requirement, checksValues)
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    checkFieldRequirement(faults, `${at}.matchFields[${index}]`, requirement)
  }
}

function checkRequirement(
  faults: FieldErrors,
  at: string,
  requirement: NodeSelectorRequirement,
  checksValues: boolean,
) {
  const { key = '', operator = '', values = [] } = requirement
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) break
      faults.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) break
      faults.forbidden(
        `${at}.values`,
        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      )
      break
    case 'Gt':
    case 'Lt':
      if (values.length === 1) break
      faults.required(
        `${at}.values`,
        "must be specified single value when `operator` is 'Lt' or 'Gt'",
      )
      break
    default:
      faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
  }
  checkLabelName(faults, `${at}.key`, key)
  if (!checksValues) return
  for (const [index, value] of values.entries()) {
    faults.invalidAll(`${at}.values[${index}]`, value, labelValueFaults(value))
  }
}

function checkFieldRequirement(
  faults: FieldErrors,
  at: string,
  requirement: NodeSelectorRequirement,
) {
  const { key = '', operator = '', values = [] } = requirement
  if (operator !== 'In' && operator !== 'NotIn') {
    faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
  } else if (values.length !== 1) {
    const when = "when `operator` is 'In' or 'NotIn' for node field selector"
    faults.required(`${at}.values`, `must be only one value ${when}`)
  }
  if (key !== 'metadata.name') {
    return faults.invalid(`${at}.key`, key, 'not a valid field selector key')
  }
  for (const [index, value] of values.entries()) {
    faults.invalidAll(`${at}.values[${index}]`, value, isDnsSubdomainName(value, false))
  }
}
