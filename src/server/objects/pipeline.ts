// The one way of every write, whichever verb or sub-resource it came by:
//
//   decode ─► field managers ─► mutating admission ─► hooks ─► prepare, validate
//                                                                    │
//                                     store ◄─ validating admission ◄┘
//
// The verb decodes what was sent and notes who manages its fields; the rest of the way is here.
// What is the verb's own about it stands in `Steps`. Nothing is written before the last of them.

import type { AnyObject } from '../../api/object.ts'
import type { Attributes, Kind, Operation } from '../admission/chain.ts'
import type { ResourceRequest } from '../server.ts'
import type { Undo } from './hooks.ts'
import { dedupOwnersAgain } from './verbs/owner-references.ts'

export type Steps<T> = {
  /** What the kind itself does first (see hooks.ts); taken back when nothing comes of the write. */
  begin?(): Undo | Promise<Undo> | undefined
  /**
   * Sets what senders may not say and checks everything. Throws what is wrong. Returns what
   * validating admission is to see, when that is not what mutating admission saw.
   */
  prepare?(): AnyObject | undefined
  /** The only step that writes. */
  store(): T | Promise<T>
  /** False when `result` stored nothing that needs what `begin` took hold of. Default: true. */
  holds?(result: T): boolean
}

export type WriteOf = {
  operation: Operation
  object: AnyObject | undefined
  old?: AnyObject | undefined
  dryRun: boolean
  /** Of `object`, when it is not of the row's kind. */
  kind?: Kind
}

/** A write as admission sees it, and who carries it out. */
export type Write = Attributes & { readonly request: ResourceRequest }

export function writeOf(request: ResourceRequest, of: WriteOf): Write {
  const { info, row } = request
  const { operation, object, old, dryRun, kind = row } = of
  const name = info.name || (object ?? old)?.metadata.name || ''
  const isNamespace = row.group === '' && row.plural === 'namespaces'
  return {
    request,
    operation,
    kind,
    subresource: info.subresource,
    namespace: info.namespace === '' && isNamespace ? name : info.namespace,
    name,
    object,
    old,
    dryRun,
  }
}

/** The whole way. */
export async function runWrite<T>(write: Write, steps: Steps<T>): Promise<T> {
  await admit(write)
  return complete(write, steps)
}

/** The first half: `write.object` is as mutating admission leaves it. */
export async function admit(write: Write): Promise<void> {
  await write.request.server.admission.admit(write)
  if (write.object !== undefined) dedupOwnersAgain(write.request, write.object)
}

/** The second half, for those who look at the object in between. */
export async function complete<T>(write: Write, steps: Steps<T>): Promise<T> {
  const begun = steps.begin?.()
  const undo = begun instanceof Promise ? await begun : begun
  try {
    const object = steps.prepare?.() ?? write.object
    const seen = object === write.object ? write : { ...write, object }
    await write.request.server.admission.validate(seen)
    const result = await steps.store()
    if (steps.holds?.(result) === false) await undo?.()
    return result
  } catch (error) {
    await undo?.()
    throw error
  }
}
