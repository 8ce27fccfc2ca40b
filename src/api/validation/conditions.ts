// Conditions of a status, as newer kinds have them (metav1.Condition).

import type { Condition } from '../schema/generated/types.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkQualifiedName, checkSupported } from './values.ts'

const REASON_BYTES_MAX = 1024
const MESSAGE_BYTES_MAX = 32 * 1024
const REASON = /^[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?$/
const REASON_FAULT =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"

export function checkConditions(faults: FieldErrors, at: string, conditions: readonly Condition[]) {
  const seen = new Set<string>()
  for (const [index, condition] of conditions.entries()) {
    const path = `${at}[${index}]`
    if (seen.has(condition.type)) faults.duplicate(`${path}.type`, condition.type)
    seen.add(condition.type)
    checkCondition(faults, path, condition)
  }
}

function checkCondition(faults: FieldErrors, at: string, condition: Condition) {
  const { type = '', status = '', reason = '', message = '' } = condition
  const { observedGeneration = 0, lastTransitionTime } = condition
  checkQualifiedName(faults, `${at}.type`, type)
  checkSupported(faults, `${at}.status`, status, ['False', 'True', 'Unknown'])
  if (observedGeneration < 0) {
    const path = `${at}.observedGeneration`
    faults.invalid(path, observedGeneration, 'must be greater than or equal to zero')
  }
  if (!lastTransitionTime) faults.required(`${at}.lastTransitionTime`)
  if (reason === '') faults.required(`${at}.reason`)
  else if (!REASON.test(reason)) faults.invalid(`${at}.reason`, reason, REASON_FAULT)
  if (Buffer.byteLength(reason) > REASON_BYTES_MAX) faults.tooLong(`${at}.reason`, REASON_BYTES_MAX)
  if (Buffer.byteLength(message) > MESSAGE_BYTES_MAX) {
    faults.tooLong(`${at}.message`, MESSAGE_BYTES_MAX)
  }
}
