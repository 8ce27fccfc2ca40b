// What is wrong with a value, before it is known where the value stands.

import { type FieldError, fieldError } from '../status.ts'

/** `text` tells faults apart; `path` is undefined for what upstream says of no field. */
export type Fault = {
  readonly text: string
  readonly path: string | undefined
  readonly make: (field: string) => FieldError
}

export function typeFault(path: string, wanted: string, is: string): Fault {
  const text = `${path} in body must be of type ${wanted}: ${JSON.stringify(is)}`
  return { text, path, make: (field) => fieldError.typeInvalid(field, is, text) }
}

export function invalidFault(path: string, value: unknown, what: string): Fault {
  const text = `${path} in body ${what}`
  return { text, path, make: (field) => fieldError.invalid(field, value, text) }
}

/** A fault that upstream says of no field. */
export function looseFault(text: string): Fault {
  return { text, path: undefined, make: (field) => fieldError.invalid(field, '', text) }
}
