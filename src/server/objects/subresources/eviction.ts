// Eviction: a deletion that says why, and that budgets may refuse.

import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { Pod } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import type { BodyType } from '../../request/decode.ts'
import { type DeleteOptions, deleteOptions } from '../../request/options.ts'
import type { ResourceRequest } from '../../server.ts'
import { changeStored } from '../guaranteed-update.ts'
import { checkPreconditions, deleteAdmitted } from '../verbs/delete.ts'
import { type Action, SUCCESS } from './action.ts'
import { podCondition } from './pod-condition.ts'

const EVICTION: BodyType = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  type: 'io.k8s.api.policy.v1.Eviction',
}

/** POST of pods/{name}/eviction. The deletion is part of it, and not admitted once more. */
export const eviction: Action = {
  body: EVICTION,
  steps({ request, body, options }) {
    const { call, info } = request
    let deletion: DeleteOptions
    return {
      prepare() {
        if (body.metadata.name !== info.name) {
          throw badRequest('name in URL does not match name in Eviction object')
        }
        const asked = deleteOptions(call.query, body.deleteOptions ?? {})
        deletion = { ...asked, dryRun: asked.dryRun || options.dryRun }
        return body
      },
      async store() {
        const marked = deletion.dryRun ? deletion : await markEvicted(request, deletion)
        await deleteAdmitted(request, info.name, marked)
        return SUCCESS
      },
    }
  },
}

/** Says why in the pod itself. Returns the options for what then stands there. */
async function markEvicted(
  request: ResourceRequest,
  options: DeleteOptions,
): Promise<DeleteOptions> {
  const nowMs = request.server.clock.nowMs()
  const change = (pod: AnyObject) => {
    checkPreconditions(request, pod, options)
    return withReason(pod as unknown as Pod, nowMs)
  }
  const marked = await changeStored(request, pods, request.info.name, { dryRun: false, change })
  return following(options, marked)
}

/** The write before the deletion was our own, so the revision asked for is the one it made. */
function following(options: DeleteOptions, marked: AnyObject): DeleteOptions {
  const { resourceVersion } = marked.metadata
  if (options.preconditions?.resourceVersion === undefined || !resourceVersion) return options
  return { ...options, preconditions: { ...options.preconditions, resourceVersion } }
}

function withReason(pod: Pod, nowMs: number): AnyObject {
  const target = podCondition(
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    },
    nowMs,
  )
  const conditions = pod.status?.conditions ?? []
  const standing = conditions.find(({ type }) => type === target.type)
  if (standing?.status === 'True') return pod as unknown as AnyObject
  const others = conditions.filter(({ type }) => type !== target.type)
  return { ...pod, status: { ...pod.status, conditions: [...others, target] } } as AnyObject
}
