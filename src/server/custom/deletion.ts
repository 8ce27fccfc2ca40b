// A definition goes in two steps: a deletion marks it; it goes when the last of its objects has.

import { CLEANUP_FINALIZER, withCondition } from '../../api/custom/definition-status.ts'
import { customResourceDefinitions } from '../../api/kinds/apiextensions/customresourcedefinition/row.ts'
import type { CustomResourceDefinition } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import type { KindHooks } from '../objects/hooks.ts'
import { planDeletion } from '../objects/verbs/plan-deletion.ts'
import { asAny } from '../storage/reader.ts'

export function definitionHooks(clock: Clock): KindHooks {
  return {
    planDelete(_request, old, options) {
      const nowMs = clock.nowMs()
      if (old.metadata.deletionTimestamp) {
        return planDeletion(customResourceDefinitions, old, options, nowMs)
      }
      return asAny(marked(old as unknown as CustomResourceDefinition, nowMs))
    },
  }
}

function marked(definition: CustomResourceDefinition, nowMs: number): CustomResourceDefinition {
  const finalizers = new Set([...(definition.metadata.finalizers ?? []), CLEANUP_FINALIZER])
  const metadata = {
    ...definition.metadata,
    deletionTimestamp: formatTime(nowMs),
    finalizers: [...finalizers],
  }
  const pending = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionPending',
    message:
      'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  }
  return withCondition({ ...definition, metadata }, pending, nowMs)
}
