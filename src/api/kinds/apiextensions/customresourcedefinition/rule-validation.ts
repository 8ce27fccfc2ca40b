// The form of rules in the schema of a definition; what they say is not evaluated.

import { fieldAt } from '../../../custom/field-path.ts'
import { child, keyed, type Props, RULES } from '../../../custom/schema.ts'
import type { ValidationRule } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'

const REASONS = [
  ...['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'],
]
const hasLineBreaks = (text: string) => /[\n\r]/.test(text)

export function checkRules(faults: FieldErrors, schema: Props, path: string) {
  schema[RULES]?.forEach((rule, i) => {
    checkRule(faults, rule, schema, keyed(child(path, RULES), i))
  })
}

function checkRule(faults: FieldErrors, rule: ValidationRule, schema: Props, path: string) {
  const at = (name: string) => child(path, name)
  checkMessage(faults, rule, at)
  const { messageExpression = '', reason, fieldPath = '' } = rule
  if (messageExpression !== '' && messageExpression.trim() === '') {
    faults.required(at('messageExpression'), 'messageExpression must be non-empty if specified')
  }
  if (reason !== undefined && !REASONS.includes(reason)) {
    faults.notSupported(at('reason'), reason, REASONS)
  }
  if (fieldPath === '') return
  const say = (why: string) => faults.invalid(at('fieldPath'), fieldPath, why)
  if (fieldPath.trim() === '') say('must be non-empty if specified')
  if (hasLineBreaks(fieldPath)) say('must not contain line breaks')
  if ('fault' in fieldAt(fieldPath, schema)) say('must be a valid path')
}

function checkMessage(faults: FieldErrors, rule: ValidationRule, at: (name: string) => string) {
  const text = rule.rule.trim()
  const { message = '' } = rule
  const trimmed = message.trim()
  if (text === '') faults.required(at('rule'), 'rule is not specified')
  else if (message !== '' && trimmed === '') {
    faults.invalid(at('message'), message, 'must be non-empty if specified')
  } else if (hasLineBreaks(trimmed)) {
    faults.invalid(at('message'), message, 'must not contain line breaks')
  } else if (hasLineBreaks(text) && trimmed === '') {
    const why = 'message must be specified if rule contains line breaks'
    faults.required(at('message'), why)
  }
}
