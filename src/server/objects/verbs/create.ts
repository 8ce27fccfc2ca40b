// POST: a new object; and how every write that makes one goes on after it was admitted.

import type { AnyObject } from '../../../api/object.ts'
import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  isAlreadyExists,
} from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import { randomSuffix } from '../../../lib/random.ts'
import type { Entry, WriteOptions as StoreWriteOptions } from '../../../store/store.ts'
import { decodeBody } from '../../request/decode.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { type WriteOptions, writeOptions } from '../../request/options.ts'
import { formOf } from '../../response/form.ts'
import { entryAnswer, objectAnswer } from '../../response/object.ts'
import { contextOf, type ResourceRequest } from '../../server.ts'
import { decodeMetadata, encodeStored, storeKey } from '../../storage/stored.ts'
import type { Answer } from '../../transport/call.ts'
import { admit, complete, type Steps, type Write, writeOf } from '../pipeline.ts'
import { noteManagers } from './field-managers.ts'
import { creationFaults } from './metadata-validation.ts'
import { dedupOwners } from './owner-references.ts'

/** Attempts at a free name for generateName. */
const NAME_ATTEMPTS_MAX = 8
/** What is generated from is cut to leave room for the suffix. */
const NAME_BASE_MAX = 58

export async function create(request: ResourceRequest): Promise<Answer> {
  const output = negotiateOutput(request.call)
  const options = writeOptions(request.call.query, 'create')
  const object = await decodeBody(request, options.fieldValidation)
  const written = await createObject(request, object, options)
  return writtenAnswer(request, 201, written, formOf(request, output))
}

/** A dry run leaves no entry behind, only the object as it would be. */
export type Written = { entry: Entry } | { object: AnyObject }

export function writtenAnswer(
  request: ResourceRequest,
  code: number,
  written: Written,
  form: ReturnType<typeof formOf>,
): Answer {
  return 'entry' in written
    ? entryAnswer(code, request.row, written.entry, form)
    : objectAnswer(code, request.row, written.object, form)
}

/** From the decoded body to the store. `object` is changed. */
async function createObject(
  request: ResourceRequest,
  object: AnyObject,
  options: WriteOptions,
): Promise<Written> {
  wipeSystemFields(object)
  matchNamespace(request, object)
  dedupOwners(request, object)
  noteManagers(request, undefined, object, options.fieldManager)
  refuseWhileTerminating(request, object)
  const write = writeOf(request, { operation: 'CREATE', object, dryRun: options.dryRun })
  await admit(write)
  if (object.metadata.name || !object.metadata.generateName) {
    return complete(write, creation(write, object))
  }
  return guaranteedName(write, object, object.metadata.generateName)
}

/** Nothing new for a definition that is going away with all that it has. */
export function refuseWhileTerminating({ row }: ResourceRequest, { metadata }: AnyObject): void {
  if (!row.custom?.isTerminating) return
  const why = 'create not allowed while custom resource definition is terminating'
  throw forbidden(row, metadata.name ?? '', why)
}

/** What was judged by a definition that has changed meanwhile must be judged again. */
export function checkStillDefined({ server, row }: ResourceRequest, name: string): void {
  if (row.custom === undefined) return
  if (server.registry.find(row.group, row.version, row.plural) !== row) throw conflict(row, name)
}

/** Generated names are random: one that is taken is no reason to give up at once. */
async function guaranteedName(write: Write, object: AnyObject, base: string): Promise<Written> {
  const { random } = write.request.server
  for (let attempt = 1; ; attempt++) {
    const draft = structuredClone(object)
    const name = base.slice(0, NAME_BASE_MAX) + randomSuffix(random)
    draft.metadata.name = name
    try {
      return await complete({ ...write, name, object: draft }, creation(write, draft))
    } catch (error) {
      if (!isAlreadyExists(error) || attempt === NAME_ATTEMPTS_MAX) throw error
    }
  }
}

/** How a named object comes to be, by a POST, a PUT or an apply. `object` is changed. */
export function creation(
  { request, dryRun }: Pick<Write, 'request' | 'dryRun'>,
  object: AnyObject,
): Steps<Written> {
  const { server, row } = request
  return {
    begin() {
      object.metadata.creationTimestamp = formatTime(server.clock.nowMs())
      object.metadata.uid = server.random.uuid()
      return server.hooks.get(row)?.beginCreate?.(request, object, dryRun)
    },
    prepare() {
      prepare(request, object)
      return object
    },
    store: () => insert(request, object, dryRun),
    holds: (written) => 'entry' in written,
  }
}

async function insert(
  request: ResourceRequest,
  object: AnyObject,
  dryRun: boolean,
): Promise<Written> {
  const { server, row, info } = request
  const { name = '', resourceVersion } = object.metadata
  if (resourceVersion) {
    throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created')
  }
  checkStillDefined(request, name)
  const key = storeKey(row, info.namespace, name)
  if (dryRun) {
    const standing = server.store.get(key)
    if (standing) throw taken(request, object, standing)
    return { object }
  }
  const result = await server.store.create(key, encodeStored(row, object), writeRules(request))
  if (!result.ok) throw taken(request, object, result.current)
  return { entry: result.entry }
}

function prepare(request: ResourceRequest, object: AnyObject): void {
  const { row } = request
  row.prepareCreate(object, contextOf(request))
  if (row.generationOf && row.generationOf(object) !== undefined) object.metadata.generation = 1
  const errors = creationFaults(row, object)
  if (errors.length > 0) {
    throw invalid({ group: row.faultGroup, kind: row.kind }, object.metadata.name ?? '', errors)
  }
  request.warnings.push(...row.warnings(object, undefined))
}

/** `change` is what an update makes of what stood there. */
export function writeRules(
  { row }: ResourceRequest,
  change?: { object: AnyObject; old: AnyObject },
): StoreWriteOptions {
  const { isHeartbeat } = row
  const isVolatile = row.volatile || (change && isHeartbeat?.(change.object, change.old))
  return {
    ...(isVolatile ? { volatile: true } : {}),
    ...(isHeartbeat && !isVolatile ? { volatileLater: true } : {}),
    ...(row.ttlMs === undefined ? {} : { ttlMs: row.ttlMs }),
  }
}

function taken(request: ResourceRequest, object: AnyObject, standing: Entry | undefined): ApiError {
  const { row } = request
  const name = object.metadata.name ?? ''
  const plain = alreadyExists(row, name)
  const error = object.metadata.generateName
    ? new ApiError(409, 'AlreadyExists', `${plain.message}, ${GENERATED_TAKEN}`, plain.details)
    : plain
  if (!standing || !decodeMetadata(row, standing).deletionTimestamp) return error
  const message = `object is being deleted: ${error.message}`
  return new ApiError(409, 'AlreadyExists', message, error.details)
}

const GENERATED_TAKEN = 'the server was not able to generate a unique name for the object'

/** What only the server says of an object. */
export function wipeSystemFields({ metadata }: AnyObject): void {
  delete metadata.creationTimestamp
  delete metadata.uid
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.selfLink
}

/** The namespace of the path, in the object too. Throws 400 when the object says another. */
export function matchNamespace({ row, info }: ResourceRequest, object: AnyObject): void {
  const wanted = row.scope === 'Namespaced' ? info.namespace : ''
  const said = object.metadata.namespace
  if (said === wanted) return
  if (wanted === '') delete object.metadata.namespace
  else if (!said) object.metadata.namespace = wanted
  else {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
}
