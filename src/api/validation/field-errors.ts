// Collects what is wrong with an object.

import { type FieldError, fieldError } from '../status.ts'

/**
 * Messages show the value that is wrong, which may be a whole list, for each of its items. Once all
 * together are as long as this, further faults are left out: the object is refused anyway.
 */
const LETTERS_MAX = 1024 * 1024

export class FieldErrors {
  readonly list: FieldError[] = []
  #letters = 0

  #add(make: () => FieldError) {
    if (this.#letters > LETTERS_MAX) return
    const error = make()
    this.#letters += error.field.length + error.message.length
    this.list.push(error)
  }

  required(field: string, detail = '') {
    this.#add(() => fieldError.required(field, detail))
  }

  invalid(field: string, value: unknown, detail: string) {
    this.#add(() => fieldError.invalid(field, value, detail))
  }

  /** Without showing the value, which is too large or says nothing. */
  invalidAsItIs(field: string, detail: string) {
    this.#add(() => ({ type: 'FieldValueInvalid', field, message: `Invalid value: ${detail}` }))
  }

  /** One fault for each of `details`. */
  invalidAll(field: string, value: unknown, details: readonly string[]) {
    for (const detail of details) this.invalid(field, value, detail)
  }

  duplicate(field: string, value: unknown, detail = '') {
    this.#add(() => withDetail(fieldError.duplicate(field, value), detail))
  }

  notFound(field: string, value: unknown, detail = '') {
    this.#add(() => withDetail(fieldError.notFound(field, value), detail))
  }

  /** `supported` in the order of the message: mostly sorted, but not always upstream. */
  notSupported(field: string, value: unknown, supported: readonly string[]) {
    this.#add(() => fieldError.notSupported(field, value, supported))
  }

  forbidden(field: string, detail: string) {
    this.#add(() => fieldError.forbidden(field, detail))
  }

  internal(field: string, why: string) {
    this.#add(() => ({ type: 'InternalError', field, message: `Internal error: ${why}` }))
  }

  tooLong(field: string, max: number) {
    this.#add(() => fieldError.tooLong(field, max))
  }

  tooMany(field: string, count: number, max: number) {
    this.#add(() => fieldError.tooMany(field, count, max))
  }
}

/** A rule of a row that fills a list of faults. */
export function ruleOf<O>(
  check: (faults: FieldErrors, object: O, old: O | undefined) => void,
): (object: O, old: O | undefined) => readonly FieldError[] {
  return (object, old) => {
    const faults = new FieldErrors()
    check(faults, object, old)
    return faults.list
  }
}

function withDetail(error: FieldError, detail: string): FieldError {
  return detail === '' ? error : { ...error, message: `${error.message}: ${detail}` }
}
