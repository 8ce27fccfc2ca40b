// What a few kinds do around their writes, beyond what rows can say: Services allocate addresses,
// namespaces are emptied before they go. Keyed by the row of the kind.

import type { AnyObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { AdmittedResource } from '../request/admitted.ts'
import type { DeleteOptions } from '../request/options.ts'

/** Takes back what was prepared for a write that then failed. */
export type Undo = () => void | Promise<void>

export type KindHooks = {
  /** After admission, before validation. May change `object`; throws to refuse. */
  beginCreate?(request: AdmittedResource, object: AnyObject, dryRun: boolean): Undo | Promise<Undo>
  beginUpdate?(
    request: AdmittedResource,
    object: AnyObject,
    old: AnyObject,
    dryRun: boolean,
  ): Undo | Promise<Undo>
  /** False keeps an object whose last finalizer has gone, for a reason of its own. */
  mayGo?(object: AnyObject): boolean
  /** In place of the usual plan of a deletion; see `planDeletion`. Throws to refuse. */
  planDelete?(
    request: AdmittedResource,
    old: AnyObject,
    options: DeleteOptions,
  ): AnyObject | 'gone' | 'pending'
}

export type ObjectHooks = ReadonlyMap<AnyRow, KindHooks>
