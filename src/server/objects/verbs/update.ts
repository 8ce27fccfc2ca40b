// PUT, and how every change of an existing object goes through the pipeline: patches, applies,
// scales, parts such as status.

import type { AnyObject } from '../../../api/object.ts'
import { onlyTimesDiffer } from '../../../api/patch/apply/update.ts'
import { equalJson } from '../../../api/patch/value.ts'
import type { PartResource } from '../../../api/resource.ts'
import {
  ApiError,
  badRequest,
  conflict,
  fieldError,
  invalid,
  isAlreadyExists,
  notFound,
} from '../../../api/status.ts'
import type { Entry } from '../../../store/store.ts'
import type { Access } from '../../authz/authorizer.ts'
import { accessOf, forbiddenAccess } from '../../authz/request-access.ts'
import { type BodyType, decodeBody } from '../../request/decode.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { type WriteOptions, writeOptions } from '../../request/options.ts'
import { formOf } from '../../response/form.ts'
import { contextOf, type ResourceRequest } from '../../server.ts'
import { decodeStored, encodeStored } from '../../storage/stored.ts'
import type { Answer } from '../../transport/call.ts'
import { guaranteedUpdate, preconditionFailed } from '../guaranteed-update.ts'
import { admit, complete, type Steps, writeOf } from '../pipeline.ts'
import {
  checkStillDefined,
  creation,
  matchNamespace,
  refuseWhileTerminating,
  type Written,
  writeRules,
  writtenAnswer,
} from './create.ts'
import { noteManagers } from './field-managers.ts'
import { metadataUpdateFaults } from './metadata-validation.ts'
import { dedupOwners } from './owner-references.ts'

export async function update(request: ResourceRequest): Promise<Answer> {
  return updatePart(request, undefined)
}

/** `part` is the sub-resource that is written; undefined for the object itself. */
export async function updatePart(
  request: ResourceRequest,
  part: PartResource<AnyObject> | undefined,
): Promise<Answer> {
  const { call, row } = request
  const output = negotiateOutput(call)
  const options = writeOptions(call.query, 'update')
  const sent = await decodeBody(request, options.fieldValidation)
  matchNamespace(request, sent)
  matchName(request, sent)
  dedupOwners(request, sent)
  const change = (old: AnyObject | undefined) => {
    if (old !== undefined) checkUid(request, sent, old)
    const object = row.copy(sent)
    noteManagers(request, old, object, options.fieldManager)
    return object
  }
  const mayCreate = row.createOnUpdate && part === undefined
  const { written, created } = await changeObject(request, { change, part, mayCreate, options })
  return writtenAnswer(request, created ? 201 : 200, written, formOf(request, output))
}

export type Change = {
  /** What `old` becomes; called again with what stands there when the race was lost. */
  change(old: AnyObject | undefined): AnyObject
  part: PartResource<AnyObject> | undefined
  mayCreate: boolean
  options: WriteOptions
  form?: ObjectForm
}

/** Another form of the object, which senders, and admission, see in its place: a Scale. */
export type ObjectForm = {
  kind: BodyType
  of(object: AnyObject): AnyObject
  /** The object that `sent` makes of `old`, fields' managers noted; a new value. */
  into(old: AnyObject, sent: AnyObject): AnyObject
}

type Changed = { written: Written; created: boolean }

export function changeObject(request: ResourceRequest, change: Change): Promise<Changed> {
  const { row, info } = request
  return guaranteedUpdate<Changed>(request, row, info.name, async (entry) => {
    if (entry === undefined && !change.mayCreate) throw notFound(row, info.name)
    const written = await (entry === undefined
      ? createThrough(request, change)
      : updateEntry(request, change, entry))
    return written && { written, created: entry === undefined }
  })
}

/** Undefined when somebody else created it first. */
async function createThrough(
  request: ResourceRequest,
  { change, options }: Change,
): Promise<Written | undefined> {
  const object = change(undefined)
  refuseWhileTerminating(request, object)
  const write = writeOf(request, { operation: 'CREATE', object, dryRun: options.dryRun })
  await admit(write)
  delete object.metadata.resourceVersion
  const steps = creation(write, object)
  try {
    return await complete(write, {
      ...steps,
      prepare() {
        const prepared = steps.prepare?.()
        authorizeCreate(request)
        return prepared
      },
    })
  } catch (error) {
    if (isAlreadyExists(error)) return undefined
    throw error
  }
}

/** Who may change what is there may not therefore make what is not. */
function authorizeCreate({ server, info, user, call }: ResourceRequest): void {
  const access: Access = { ...accessOf(info, user, call.query), verb: 'create' }
  const decision = server.authorizer.decide(access)
  if (!decision.allowed) throw forbiddenAccess(access, decision.reason)
}

/** Undefined when the entry has changed meanwhile. */
async function updateEntry(
  request: ResourceRequest,
  { change, part, options, form }: Change,
  entry: Entry,
): Promise<Written | undefined> {
  const { dryRun } = options
  const old = decodeStored(request.row, entry)
  const seen = form === undefined ? old : form.of(old)
  const given = change(seen)
  const kind = form?.kind ?? request.row
  const write = writeOf(request, { operation: 'UPDATE', object: given, old: seen, dryRun, kind })
  await admit(write)
  const sent = form === undefined ? given : form.into(old, given)
  checkRevision(request, sent, old)
  const object = part === undefined ? sent : throughPart(request, part, sent, old)
  const steps = replacement(request, { entry, object, old, part, dryRun })
  if (form === undefined) return complete(write, steps)
  const prepare = () => form.of(steps.prepare?.() ?? object)
  return complete(write, { ...steps, prepare })
}

type Replacement = {
  entry: Entry
  object: AnyObject
  old: AnyObject
  part: PartResource<AnyObject> | undefined
  dryRun: boolean
}

/** How `object` takes the place of `old`, or the last of it goes. */
function replacement(
  request: ResourceRequest,
  { entry, object, old, part, dryRun }: Replacement,
): Steps<Written | undefined> {
  const hooks = request.server.hooks.get(request.row)
  return {
    begin: () => hooks?.beginUpdate?.(request, object, old, dryRun),
    prepare() {
      prepare(request, part, object, old)
      return object
    },
    async store() {
      if (onlyTimesDiffer(old, object)) return { entry }
      if (dryRun) return { object }
      checkStillDefined(request, object.metadata.name ?? '')
      const { server, row } = request
      if (isReadyToGo(object, old) && (hooks?.mayGo?.(object) ?? true)) {
        const result = await server.store.delete(entry.key, entry.revision)
        return result.ok || result.current === undefined ? { object } : undefined
      }
      const text = encodeStored(row, object)
      const rules = writeRules(request, { object, old })
      const result = await server.store.update(entry.key, text, entry.revision, rules)
      return result.ok ? { entry: result.entry } : undefined
    },
    holds: (written) => written !== undefined && 'entry' in written && written.entry !== entry,
  }
}

/** The last finalizer of a deleted object was taken away. */
function isReadyToGo(object: AnyObject, old: AnyObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = old.metadata
  const finalizers = object.metadata.finalizers ?? []
  return finalizers.length === 0 && deletionTimestamp !== undefined && !deletionGracePeriodSeconds
}

function prepare(
  request: ResourceRequest,
  part: PartResource<AnyObject> | undefined,
  object: AnyObject,
  old: AnyObject,
): void {
  const { row } = request
  const [meta, before] = [object.metadata, old.metadata]
  keep(meta, 'generation', before.generation)
  if (part === undefined) row.prepareUpdate(object, old, contextOf(request))
  // What is written through the status path is no wish, even where it reaches the annotations.
  const isWish = part === undefined || part !== row.status
  if (isWish && row.generationOf && !equalJson(row.generationOf(object), row.generationOf(old))) {
    meta.generation = (before.generation ?? 0) + 1
  }
  meta.uid ||= before.uid!
  keep(meta, 'creationTimestamp', before.creationTimestamp)
  if (before.deletionTimestamp) meta.deletionTimestamp = before.deletionTimestamp
  meta.deletionGracePeriodSeconds ??= before.deletionGracePeriodSeconds as number
  if (meta.deletionGracePeriodSeconds === undefined) delete meta.deletionGracePeriodSeconds

  const rules = part === undefined ? row.rules : part.rules
  const errors = [
    ...metadataUpdateFaults(row, (part ?? row).metadataJudges ?? ['change'], object, old),
    ...rules.flatMap((rule) => rule(object, old)),
  ]
  if (errors.length > 0) {
    throw invalid({ group: row.faultGroup, kind: row.kind }, meta.name ?? '', errors)
  }
  const warnings = part === undefined ? row.warnings(object, old) : part.warnings?.(object, old)
  request.warnings.push(...(warnings ?? []))
}

function keep<T, K extends keyof T>(target: T, field: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[field]
  else target[field] = value
}

/** The stored object with those fields that the sub-resource writes taken from `sent`. */
function throughPart(
  request: ResourceRequest,
  part: PartResource<AnyObject>,
  sent: AnyObject,
  old: AnyObject,
): AnyObject {
  const metadata = part.writes.includes('metadata') ? { ...sent.metadata } : { ...old.metadata }
  keep(metadata, 'managedFields', sent.metadata.managedFields)
  keep(metadata, 'resourceVersion', sent.metadata.resourceVersion)
  if (part.merge) {
    const merged = part.merge(sent, request.row.copy(old), contextOf(request))
    return part.writes.includes('metadata') ? merged : { ...merged, metadata }
  }
  const object: AnyObject = { ...structuredClone(old), metadata }
  for (const field of part.writes) {
    if (field === 'metadata') continue
    if (sent[field] === undefined) delete object[field]
    else object[field] = sent[field]
  }
  return object
}

/** Optimistic locking: the revision sent, if any, must be the one that stands. */
function checkRevision(request: ResourceRequest, sent: AnyObject, old: AnyObject): void {
  const { row, info } = request
  const asked = sent.metadata.resourceVersion
  if (asked && !/^[0-9]+$/.test(asked)) {
    const why = `strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`
    throw new ApiError(500, '', why)
  }
  if (!asked || asked === '0') {
    if (!row.unconditionalUpdate) {
      const field = 'metadata.resourceVersion'
      const fault = fieldError.invalid(field, 0, 'must be specified for an update')
      throw invalid({ group: row.group, kind: row.plural }, info.name, [fault])
    }
    sent.metadata.resourceVersion = old.metadata.resourceVersion!
  } else if (asked !== old.metadata.resourceVersion) {
    throw conflict(row, info.name)
  }
}

function checkUid(request: ResourceRequest, sent: AnyObject, old: AnyObject): void {
  const [asked, stands] = [sent.metadata.uid, old.metadata.uid]
  if (!asked || asked === stands) return
  throw preconditionFailed(request, request.row, request.info.name, ['UID', asked, stands])
}

/** The object must be the one that the path names. */
export function matchName({ info }: ResourceRequest, object: AnyObject): void {
  const { name } = object.metadata
  if (!name) {
    const why = 'was undeterminable: name must be provided'
    throw badRequest(`the name of the object (${info.name} based on URL) ${why}`)
  }
  if (name !== info.name) {
    const why = `does not match the name on the URL (${info.name})`
    throw badRequest(`the name of the object (${name}) ${why}`)
  }
}
