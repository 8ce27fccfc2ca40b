// Judges strings and numbers by the schema of a custom resource, in upstream's words.

import { fieldError } from '../status.ts'
import { type Fault, invalidFault, looseFault } from './faults.ts'
import { fitsFormat } from './formats.ts'
import { patternOf } from './patterns.ts'
import { INT_OR_STRING, type Props } from './schema.ts'

/** `steps` is how many checks there were. */
export function stringFaults(
  text: string,
  schema: Props,
  format: string | undefined,
  path: string,
): { faults: Fault[]; steps: number } {
  const first = lengthOrPattern(text, schema, path)
  const faults = first === undefined ? [] : [first]
  if (format === undefined) return { faults, steps: 1 }
  if (!fitsFormat(text, format)) {
    const message = `${path} in body must be of type ${format}: ${JSON.stringify(text)}`
    const make = (field: string) => fieldError.typeInvalid(field, text, message)
    faults.push({ text: message, path, make })
  }
  return { faults, steps: 3 }
}

function lengthOrPattern(text: string, schema: Props, path: string): Fault | undefined {
  const { maxLength, minLength, pattern } = schema
  const length = maxLength === undefined && minLength === undefined ? 0 : [...text].length
  if (maxLength !== undefined && length > maxLength) {
    const message = `${path} in body should be at most ${maxLength} chars long`
    return { text: message, path, make: (field) => fieldError.tooLong(field, maxLength) }
  }
  if (minLength !== undefined && length < minLength) {
    return invalidFault(path, text, `should be at least ${minLength} chars long`)
  }
  if (!pattern) return undefined
  const compiled = patternOf(pattern)
  if ('fault' in compiled) {
    const why = `${pattern}, but pattern is invalid: ${compiled.fault}`
    return invalidFault(path, text, `should match '${why}'`)
  }
  return compiled.test(text) ? undefined : invalidFault(path, text, `should match '${pattern}'`)
}

const INT32_MAX = 2_147_483_647
const FLOAT_MAX = 3.4028234663852886e38

export function numberFaults(
  value: number,
  schema: Props,
  format: string | undefined,
  path: string,
): Fault[] {
  const range = { type: schema[INT_OR_STRING] ? undefined : schema.type, format, path }
  const faults = rangeFaults(value, 'Checked', range)
  const { multipleOf, maximum, minimum } = schema
  // Go judges integers by the whole part of a bound.
  const whole = (bound: number) => (Number.isInteger(value) ? Math.trunc(bound) : bound)
  if (multipleOf !== undefined) {
    faults.push(...rangeFaults(multipleOf, 'MultipleOf', range))
    faults.push(...multipleFaults(value, whole(multipleOf), path))
  }
  if (minimum !== undefined) {
    faults.push(...rangeFaults(minimum, 'Minimum boundary', range))
    const bound = whole(minimum)
    const isLow = schema.exclusiveMinimum ? value <= bound : value < bound
    const than = schema.exclusiveMinimum ? 'greater than' : 'greater than or equal to'
    if (isLow) faults.push(invalidFault(path, value, `should be ${than} ${bound}`))
  }
  if (maximum !== undefined) {
    faults.push(...rangeFaults(maximum, 'Maximum boundary', range))
    const bound = whole(maximum)
    const isHigh = schema.exclusiveMaximum ? value >= bound : value > bound
    const than = schema.exclusiveMaximum ? 'less than' : 'less than or equal to'
    if (isHigh) faults.push(invalidFault(path, value, `should be ${than} ${bound}`))
  }
  return faults
}

function multipleFaults(value: number, factor: number, path: string): Fault[] {
  if (factor <= 0) {
    const text = `factor MultipleOf declared for ${path} must be positive: ${factor}`
    return [{ text, path, make: (field) => fieldError.invalid(field, factor, text) }]
  }
  const times = factor < 1 ? (1 / factor) * value : value / factor
  const isMultiple = Math.abs(times - Math.round(times)) <= Number.EPSILON * Math.abs(times)
  return isMultiple ? [] : [invalidFault(path, value, `should be a multiple of ${factor}`)]
}

type Range = { type: string | undefined; format: string | undefined; path: string }

function rangeFaults(value: number, what: string, { type, format, path }: Range): Fault[] {
  const must = (kind: string) => [looseFault(`${what} value must be of type ${kind} in ${path}`)]
  if (type === 'integer') {
    const shown = format === undefined ? '(default format)' : `with format ${format}`
    const fits = format !== 'int32' || (value <= INT32_MAX && value >= -INT32_MAX - 1)
    return Number.isInteger(value) && fits ? [] : must(`integer ${shown}`)
  }
  const isTooLarge = type === 'number' && format === 'float' && Math.abs(value) > FLOAT_MAX
  return isTooLarge ? must('number with format float') : []
}
