// The options of each verb, as they stand in the query or (for deletions) the body.
//
// Checks and words: apimachinery's meta/v1/validation and meta/internalversion/validation.

import { ApiError, badRequest, type FieldError, fieldError, invalid } from '../../api/status.ts'
import { isTrue, type Query } from './query.ts'

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

export type WriteOptions = {
  dryRun: boolean
  fieldManager: string
  fieldValidation: FieldValidation
  /** Only apply patches may carry it. */
  force: boolean
}

export type DeleteOptions = {
  dryRun: boolean
  gracePeriodSeconds: number | undefined
  propagationPolicy: 'Orphan' | 'Background' | 'Foreground' | undefined
  orphanDependents: boolean | undefined
  preconditions: { uid?: string; resourceVersion?: string } | undefined
}

export type ListOptions = {
  labelSelector: string
  fieldSelector: string
  resourceVersion: string
  resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  limit: number
  continueToken: string
  watch: boolean
  allowWatchBookmarks: boolean
  sendInitialEvents: boolean | undefined
  timeoutSeconds: number | undefined
}

const FIELD_MANAGER_BYTES_MAX = 128

const NO_WRITE_OPTIONS: WriteOptions = {
  dryRun: false,
  fieldManager: '',
  fieldValidation: 'Warn',
  force: false,
}

export type WriteVerb = 'create' | 'update' | 'patch' | 'apply'

const OPTIONS_KIND: Record<WriteVerb, string> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  apply: 'PatchOptions',
}

export function writeOptions(query: Query, verb: WriteVerb): WriteOptions {
  if (query.raw === '' && verb !== 'apply') return NO_WRITE_OPTIONS
  const dryRun = query.all('dryRun')
  const fieldManager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  const force = query.get('force')
  const errors: FieldError[] = []
  if (verb === 'apply' && fieldManager === '') {
    errors.push(fieldError.required('fieldManager', 'is required for apply patch'))
  }
  if (verb === 'patch' && force !== undefined) {
    errors.push(fieldError.forbidden('force', 'may not be specified for non-apply patch'))
  }
  errors.push(...checkFieldManager(fieldManager), ...checkDryRun(dryRun))
  if (!['', 'Ignore', 'Strict', 'Warn'].includes(validation)) {
    const supported = ['', 'Ignore', 'Strict', 'Warn']
    errors.push(fieldError.notSupported('fieldValidation', validation, supported))
  }
  if (errors.length > 0) throw invalidOptions(OPTIONS_KIND[verb], errors)
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: (validation || 'Warn') as FieldValidation,
    force: force !== undefined && isTrue(force),
  }
}

function invalidOptions(kind: string, errors: readonly FieldError[]): ApiError {
  return invalid({ group: 'meta.k8s.io', kind }, '', errors)
}

function checkDryRun(values: readonly string[]): FieldError[] {
  if (values.every((value) => value === 'All')) return []
  return [fieldError.notSupported('dryRun', values, ['All'])]
}

export function checkFieldManager(name: string, field = 'fieldManager'): FieldError[] {
  const errors: FieldError[] = []
  if (Buffer.byteLength(name) > FIELD_MANAGER_BYTES_MAX) {
    errors.push(fieldError.tooLong(field, FIELD_MANAGER_BYTES_MAX))
  }
  let position = 0
  for (const letter of name) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(letter)) {
      const code = letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
      const detail = `invalid character U+${code} (at position ${position})`
      errors.push(fieldError.invalid(field, name, detail))
    }
    position += Buffer.byteLength(letter)
  }
  return errors
}

/** `body` is a DeleteOptions object, when the request had one; then the query does not count. */
export function deleteOptions(query: Query, body: unknown): DeleteOptions {
  const given = body === undefined ? deleteOptionsOf(query) : deleteOptionsIn(body)
  const errors: FieldError[] = []
  const { orphanDependents, propagationPolicy: policy, dryRun } = given
  if (orphanDependents !== undefined && policy !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set'
    errors.push(fieldError.invalid('propagationPolicy', policy, detail))
  }
  if (policy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(policy)) {
    const supported = ['Foreground', 'Background', 'Orphan', 'nil']
    errors.push(fieldError.notSupported('propagationPolicy', policy, supported))
  }
  errors.push(...checkDryRun(dryRun))
  if (errors.length > 0) throw invalidOptions('DeleteOptions', errors)
  return { ...given, dryRun: dryRun.length > 0 } as DeleteOptions
}

type GivenDeleteOptions = Omit<DeleteOptions, 'dryRun' | 'propagationPolicy'> & {
  dryRun: readonly string[]
  propagationPolicy: string | undefined
}

function deleteOptionsOf(query: Query): GivenDeleteOptions {
  const orphan = query.get('orphanDependents')
  return {
    dryRun: query.all('dryRun'),
    gracePeriodSeconds: integerOf(query, 'gracePeriodSeconds'),
    propagationPolicy: query.get('propagationPolicy'),
    orphanDependents: orphan === undefined ? undefined : isTrue(orphan),
    preconditions: undefined,
  }
}

function deleteOptionsIn(body: unknown): GivenDeleteOptions {
  if (typeof body !== 'object' || body === null) {
    throw badRequest('decoded object cannot be converted to DeleteOptions')
  }
  const { dryRun, gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } =
    body as Record<string, unknown>
  checkType('gracePeriodSeconds', gracePeriodSeconds, 'number', 'int64')
  checkType('propagationPolicy', propagationPolicy, 'string', 'string')
  checkType('orphanDependents', orphanDependents, 'boolean', 'bool')
  return {
    dryRun: Array.isArray(dryRun) ? dryRun.map(String) : [],
    gracePeriodSeconds: (gracePeriodSeconds ?? undefined) as number | undefined,
    propagationPolicy: (propagationPolicy ?? undefined) as string | undefined,
    orphanDependents: (orphanDependents ?? undefined) as boolean | undefined,
    preconditions: (preconditions ?? undefined) as DeleteOptions['preconditions'],
  }
}

function checkType(field: string, value: unknown, type: string, goType: string): void {
  if (value === undefined || value === null || typeof value === type) return
  const where = `DeleteOptions.${field}`
  throw badRequest(
    `json: cannot unmarshal ${typeof value} into Go struct field ${where} of type ${goType}`,
  )
}

export function listOptions(query: Query, isWatch = query.flag('watch')): ListOptions {
  const sendInitialEvents = query.get('sendInitialEvents')
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: (query.get('resourceVersionMatch') ?? '') as '',
    limit: integerOf(query, 'limit') ?? 0,
    continueToken: query.get('continue') ?? '',
    watch: isWatch,
    allowWatchBookmarks: query.flag('allowWatchBookmarks'),
    sendInitialEvents: sendInitialEvents === undefined ? undefined : isTrue(sendInitialEvents),
    timeoutSeconds: integerOf(query, 'timeoutSeconds'),
  }
  const errors = options.watch ? checkWatch(options) : checkList(options)
  if (errors.length > 0) throw invalidOptions('ListOptions', errors)
  return options
}

const MATCH = 'resourceVersionMatch'

function checkList(options: ListOptions): FieldError[] {
  const errors: FieldError[] = []
  const match: string = options.resourceVersionMatch
  if (match !== '') {
    if (options.resourceVersion === '') {
      const detail = `${MATCH} is forbidden unless resourceVersion is provided`
      errors.push(fieldError.forbidden(MATCH, detail))
    }
    if (options.continueToken !== '') {
      const detail = `${MATCH} is forbidden when continue is provided`
      errors.push(fieldError.forbidden(MATCH, detail))
    }
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(fieldError.notSupported(MATCH, match, ['Exact', 'NotOlderThan', '']))
    }
    if (match === 'Exact' && options.resourceVersion === '0') {
      const detail = `${MATCH} "exact" is forbidden for resourceVersion "0"`
      errors.push(fieldError.forbidden(MATCH, detail))
    }
  }
  if (options.sendInitialEvents !== undefined) {
    const detail = 'sendInitialEvents is forbidden for list'
    errors.push(fieldError.forbidden('sendInitialEvents', detail))
  }
  return errors
}

function checkWatch(options: ListOptions): FieldError[] {
  const errors: FieldError[] = []
  const match: string = options.resourceVersionMatch
  if (options.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    const detail = `sendInitialEvents requires setting ${MATCH} to NotOlderThan`
    errors.push(fieldError.forbidden(MATCH, detail))
  }
  if (match === '') return errors
  if (options.sendInitialEvents === undefined) {
    const detail = `${MATCH} is forbidden for watch unless sendInitialEvents is provided`
    errors.push(fieldError.forbidden(MATCH, detail))
  }
  if (match !== 'NotOlderThan') {
    errors.push(fieldError.notSupported(MATCH, match, ['NotOlderThan']))
  }
  if (options.continueToken !== '') {
    const detail = `${MATCH} is forbidden when continue is provided`
    errors.push(fieldError.forbidden(MATCH, detail))
  }
  return errors
}

function integerOf(query: Query, name: string): number | undefined {
  const text = query.get(name)
  if (text === undefined || text === '') return undefined
  if (/^[-+]?[0-9]+$/.test(text)) return Number(text)
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** A revision from outside; 0 for none. A wrong one is upstream's 500 without a reason. */
export function parseRevision(text: string): number {
  if (text === '' || text === '0') return 0
  if (/^[0-9]{1,19}$/.test(text)) return Number(text)
  throw new ApiError(500, '', revisionFault(text))
}

/** The same, for lists: they say more, and that it was the caller's fault. */
export function parseListRevision(text: string): number {
  if (text === '' || /^[0-9]{1,19}$/.test(text)) return Number(text)
  throw badRequest(`invalid resource version: ${revisionFault(text)}`)
}

function revisionFault(text: string): string {
  const quoted = JSON.stringify(text)
  const why = `strconv.ParseUint: parsing ${quoted}: invalid syntax`
  return `resourceVersion: Invalid value: ${quoted}: ${why}`
}
