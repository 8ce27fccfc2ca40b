// Namespaces go in two steps: a deletion only marks one as terminating; it goes once it is empty,
// which the namespace controller says by taking the finalizer out of its spec.

import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import type { AnyObject } from '../../api/object.ts'
import type { Namespace } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import type { DeleteOptions } from '../request/options.ts'
import { asAny } from '../storage/reader.ts'
import type { KindHooks } from './hooks.ts'
import { FOREGROUND, ORPHAN, planDeletion } from './verbs/plan-deletion.ts'

export function namespaceHooks(clock: Clock): KindHooks {
  return {
    mayGo: (object) => isEmpty(object as unknown as Namespace),

    planDelete(_request, old, options) {
      const namespace = old as unknown as Namespace
      const nowMs = clock.nowMs()
      if (!namespace.metadata.deletionTimestamp) return terminating(namespace, options, nowMs)
      return isEmpty(namespace) ? planDeletion(namespaces, old, options, nowMs) : 'pending'
    },
  }
}

function isEmpty({ spec }: Namespace): boolean {
  return (spec?.finalizers ?? []).length === 0
}

function terminating(namespace: Namespace, options: DeleteOptions, nowMs: number): AnyObject {
  const { orphanDependents: orphan, propagationPolicy: policy } = options
  const finalizers = new Set(namespace.metadata.finalizers)
  const wants = (name: string, byOrphan: boolean, byPolicy: boolean) => {
    const wanted =
      orphan !== undefined ? byOrphan : policy !== undefined ? byPolicy : finalizers.has(name)
    if (wanted) finalizers.add(name)
    else finalizers.delete(name)
  }
  wants(ORPHAN, orphan === true, policy === 'Orphan')
  wants(FOREGROUND, orphan === false, policy === 'Foreground')
  const { finalizers: _before, ...metadata } = namespace.metadata
  return asAny({
    ...namespace,
    metadata: {
      ...metadata,
      deletionTimestamp: formatTime(nowMs),
      ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
    },
    status: { ...namespace.status, phase: 'Terminating' },
  } as Namespace)
}
