// DELETE of one object: with grace, with finalizers, or at once.

import type { AnyObject } from '../../../api/object.ts'
import { conflict, notFound, type Status } from '../../../api/status.ts'
import type { Entry } from '../../../store/store.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import type { DeleteOptions } from '../../request/options.ts'
import { formOf, rendered } from '../../response/form.ts'
import { entryAnswer, objectAnswer } from '../../response/object.ts'
import type { ResourceRequest } from '../../server.ts'
import { decodeStored, encodeStored } from '../../storage/stored.ts'
import type { Answer } from '../../transport/call.ts'
import { guaranteedUpdate } from '../guaranteed-update.ts'
import { runWrite, writeOf } from '../pipeline.ts'
import { readDeleteOptions } from './delete-body.ts'
import { lastForm, planDeletion } from './plan-deletion.ts'

/** What a deletion did. `object` stays when it is only marked. */
export type Deleted =
  | { gone: true; object: AnyObject }
  | { gone: false; entry: Entry }
  | { gone: false; object: AnyObject }

export async function remove(request: ResourceRequest): Promise<Answer> {
  const form = formOf(request, negotiateOutput(request.call))
  const options = await readDeleteOptions(request)
  const deleted = await deleteObject(request, request.info.name, options)
  const code = !deleted.gone && options.orphanDependents === false ? 202 : 200
  if ('entry' in deleted) return entryAnswer(code, request.row, deleted.entry, form)
  if (!deleted.gone || request.row.answersDeleted) {
    return objectAnswer(code, request.row, deleted.object, form)
  }
  return rendered(code, successStatus(request, deleted.object), form)
}

function successStatus({ row }: ResourceRequest, { metadata }: AnyObject): Status {
  const { name = '', uid = '' } = metadata
  const details = { name, ...(row.group === '' ? {} : { group: row.group }), kind: row.plural, uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}

/** A deletion that a caller asks for, and that admission may refuse. */
export function deleteObject(
  request: ResourceRequest,
  name: string,
  options: DeleteOptions,
): Promise<Deleted> {
  const { row } = request
  return guaranteedUpdate<Deleted>(request, row, name, (entry) => {
    if (entry === undefined) throw notFound(row, name)
    const old = decodeStored(row, entry)
    checkPreconditions(request, old, options)
    const { dryRun } = options
    const write = writeOf(request, { operation: 'DELETE', object: undefined, old, dryRun })
    return runWrite(write, { store: () => removeEntry(request, entry, old, options) })
  })
}

/** The deletion that an admitted write leads to: an eviction. */
export function deleteAdmitted(
  request: ResourceRequest,
  name: string,
  options: DeleteOptions,
): Promise<Deleted> {
  const { row } = request
  return guaranteedUpdate<Deleted>(request, row, name, async (entry) => {
    if (entry === undefined) throw notFound(row, name)
    const old = decodeStored(row, entry)
    checkPreconditions(request, old, options)
    return removeEntry(request, entry, old, options)
  })
}

/** Undefined when the entry has changed meanwhile. */
async function removeEntry(
  request: ResourceRequest,
  entry: Entry,
  old: AnyObject,
  options: DeleteOptions,
): Promise<Deleted | undefined> {
  const { server, row } = request
  const hooks = server.hooks.get(row)
  const marked = hooks?.planDelete
    ? hooks.planDelete(request, old, options)
    : planDeletion(row, old, options, server.clock.nowMs())
  if (marked === 'gone') {
    const object = lastForm(row, old, options, server.clock.nowMs())
    if (options.dryRun) return { gone: true, object }
    const result = await server.store.delete(entry.key, entry.revision)
    if (!result.ok) return undefined
    object.metadata.resourceVersion = String(result.entry.revision)
    return { gone: true, object }
  }
  if (marked === 'pending') return { gone: false, entry }
  if (options.dryRun) return { gone: false, object: marked }
  const text = encodeStored(row, marked)
  // Asking again for what is on its way changes nothing, and must not look like a change.
  if (text === entry.value) return { gone: false, entry }
  const result = await server.store.update(entry.key, text, entry.revision)
  return result.ok ? { gone: false, entry: result.entry } : undefined
}

const RECREATED = 'The object might have been deleted and then recreated'

export function checkPreconditions(
  { row }: ResourceRequest,
  { metadata }: AnyObject,
  { preconditions }: DeleteOptions,
): void {
  if (preconditions === undefined) return
  // Upstream names the kind here where it names the resource elsewhere.
  const named = { group: row.group, plural: row.kind }
  const { uid, resourceVersion } = preconditions
  if (uid !== undefined && uid !== metadata.uid) {
    const differs = `(${uid}) does not match the UID in record (${metadata.uid})`
    const why = `the UID in the precondition ${differs}. ${RECREATED}`
    throw conflict(named, metadata.name ?? '', why)
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const stands = `does not match the ResourceVersion in record (${metadata.resourceVersion})`
    const asked = `the ResourceVersion in the precondition (${resourceVersion})`
    const why = `${asked} ${stands}. The object might have been modified`
    throw conflict(named, metadata.name ?? '', why)
  }
}
