// ApiError: an expected answer of the API that is not success, as a Kubernetes Status.
//
// Thrown in server/, serialised by its one error handler, rebuilt by kit/client.ts as the same
// class. Messages are upstream's words, because people and scripts match on them
// (apimachinery/pkg/api/errors, util/validation/field).

export type StatusCause = { reason?: string; message?: string; field?: string }

export type StatusDetails = {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export type Status = {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: { continue?: string }
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: StatusDetails
  code?: number
}

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError'

/** One fault of one field. `message` is complete: `Invalid value: "x": must be …`. */
export type FieldError = { type: FieldErrorType; field: string; message: string }

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: number
  readonly reason: string
  readonly details: StatusDetails | undefined
  /** metadata.continue of an expired list. */
  readonly continueToken: string | undefined

  constructor(
    code: number,
    reason: string,
    message: string,
    details?: StatusDetails,
    continueToken?: string,
  ) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
    this.continueToken = continueToken
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }

  static fromStatus(status: Status): ApiError {
    return new ApiError(
      status.code ?? 500,
      status.reason ?? '',
      status.message ?? 'unknown',
      status.details,
      status.metadata?.continue,
    )
  }
}

type Named = { group: string; plural: string }

const qualified = (row: Named) => (row.group === '' ? row.plural : `${row.plural}.${row.group}`)

/** details.kind is the plural here: a quirk kept for compatibility. */
const detailsOf = (row: Named, name: string): StatusDetails => ({
  name,
  ...(row.group === '' ? {} : { group: row.group }),
  kind: row.plural,
})

export function notFound(row: Named, name: string): ApiError {
  return new ApiError(
    404,
    'NotFound',
    `${qualified(row)} "${name}" not found`,
    detailsOf(row, name),
  )
}

export function alreadyExists(row: Named, name: string): ApiError {
  const message = `${qualified(row)} "${name}" already exists`
  return new ApiError(409, 'AlreadyExists', message, detailsOf(row, name))
}

export function conflict(row: Named, name: string, why = CHANGED): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(row)} "${name}": ${why}`
  return new ApiError(409, 'Conflict', message, detailsOf(row, name))
}

const CHANGED =
  'the object has been modified; please apply your changes to the latest version and try again'

export function forbidden(row: Named, name: string, why: string): ApiError {
  const message =
    row.plural === ''
      ? `forbidden: ${why}`
      : `${qualified(row)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`
  return new ApiError(403, 'Forbidden', message, {
    ...(name === '' ? {} : { name }),
    ...(row.group === '' ? {} : { group: row.group }),
    kind: row.plural,
  })
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message)
}

export function unauthorized(): ApiError {
  return new ApiError(401, 'Unauthorized', 'Unauthorized')
}

export function internal(message: string): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  })
}

/** All faults of one object, in one answer. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))]
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const qualifiedKind = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
  return new ApiError(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    ...(kind.kind === '' ? {} : { kind: kind.kind }),
    causes: errors.map(({ type, message, field }) => ({ reason: type, message, field })),
  })
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409 && error.reason === 'Conflict'
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists'
}

export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.code === 410
}

export const fieldError = {
  required: (field: string, detail: string): FieldError => ({
    type: 'FieldValueRequired',
    field,
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  }),
  invalid: (field: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field,
    message: `Invalid value: ${shown(value)}${detail === '' ? '' : `: ${detail}`}`,
  }),
  typeInvalid: (field: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueTypeInvalid',
    field,
    message: `Invalid value: ${shown(value)}: ${detail}`,
  }),
  duplicate: (field: string, value: unknown): FieldError => ({
    type: 'FieldValueDuplicate',
    field,
    message: `Duplicate value: ${shown(value)}`,
  }),
  notFound: (field: string, value: unknown): FieldError => ({
    type: 'FieldValueNotFound',
    field,
    message: `Not found: ${shown(value)}`,
  }),
  /** `supported` is listed in the order given; upstream sorts it. */
  notSupported: (field: string, value: unknown, supported: readonly string[]): FieldError => {
    const list = supported.map((one) => JSON.stringify(one)).join(', ')
    const tail = supported.length === 0 ? '' : `: supported values: ${list}`
    const message = `Unsupported value: ${shown(value)}${tail}`
    return { type: 'FieldValueNotSupported', field, message }
  },
  forbidden: (field: string, detail: string): FieldError => ({
    type: 'FieldValueForbidden',
    field,
    message: `Forbidden: ${detail}`,
  }),
  tooLong: (field: string, max: number): FieldError => ({
    type: 'FieldValueTooLong',
    field,
    message: `Too long: may not be more than ${max} byte${max === 1 ? '' : 's'}`,
  }),
  tooMany: (field: string, count: number, max: number): FieldError => ({
    type: 'FieldValueTooMany',
    field,
    message: `Too many: ${count}: must have at most ${max} item${max === 1 ? '' : 's'}`,
  }),
}

/** Go's %v for scalars and JSON for the rest, as field.Error prints values. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  const text = JSON.stringify(value)
  // Go escapes these three in JSON, but not in a string that is quoted alone.
  return typeof value === 'string' ? text : text.replace(/[<>&]/g, escapedForHtml)
}

function escapedForHtml(sign: string): string {
  return `\\u00${sign.charCodeAt(0).toString(16)}`
}
