// Collects what is wrong with an object.

import { type FieldError, fieldError } from '../status.ts'

export class Faults {
  readonly list: FieldError[] = []

  required(field: string, detail = '') {
    this.list.push(fieldError.required(field, detail))
  }

  invalid(field: string, value: unknown, detail: string) {
    this.list.push(fieldError.invalid(field, value, detail))
  }

  /** Without showing the value, which is too large or says nothing. */
  invalidAsItIs(field: string, detail: string) {
    this.list.push({ type: 'FieldValueInvalid', field, message: `Invalid value: ${detail}` })
  }

  /** One fault for each of `details`. */
  invalidAll(field: string, value: unknown, details: readonly string[]) {
    for (const detail of details) this.invalid(field, value, detail)
  }

  duplicate(field: string, value: unknown, detail = '') {
    this.list.push(withDetail(fieldError.duplicate(field, value), detail))
  }

  notFound(field: string, value: unknown, detail = '') {
    this.list.push(withDetail(fieldError.notFound(field, value), detail))
  }

  /** `supported` in the order of the message: mostly sorted, but not always upstream. */
  notSupported(field: string, value: unknown, supported: readonly string[]) {
    this.list.push(fieldError.notSupported(field, value, supported))
  }

  forbidden(field: string, detail: string) {
    this.list.push(fieldError.forbidden(field, detail))
  }

  internal(field: string, why: string) {
    this.list.push({ type: 'InternalError', field, message: `Internal error: ${why}` })
  }

  tooLong(field: string, max: number) {
    this.list.push(fieldError.tooLong(field, max))
  }

  tooMany(field: string, count: number, max: number) {
    this.list.push(fieldError.tooMany(field, count, max))
  }
}

/** A rule of a row that fills a list of faults. */
export function ruleOf<O>(
  check: (faults: Faults, object: O, old: O | undefined) => void,
): (object: O, old: O | undefined) => readonly FieldError[] {
  return (object, old) => {
    const faults = new Faults()
    check(faults, object, old)
    return faults.list
  }
}

function withDetail(error: FieldError, detail: string): FieldError {
  return detail === '' ? error : { ...error, message: `${error.message}: ${detail}` }
}
