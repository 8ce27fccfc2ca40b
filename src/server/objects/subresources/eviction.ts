// Eviction: a deletion that says why, and that budgets may refuse.

import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { Pod } from '../../../api/schema/generated/types.ts'
import { badRequest } from '../../../api/status.ts'
import { type BodyType, decodeTyped } from '../../request/decode.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { type DeleteOptions, deleteOptions, writeOptions } from '../../request/options.ts'
import { formOf, rendered } from '../../response/form.ts'
import type { ResourceRequest } from '../../server.ts'
import type { Answer } from '../../transport/call.ts'
import { replaceObject } from '../guaranteed-update.ts'
import { matchNamespace } from '../verbs/create.ts'
import { checkPreconditions, deleteObject } from '../verbs/delete.ts'
import { podCondition } from './pod-condition.ts'

const EVICTION: BodyType = {
  ...{ group: 'policy', version: 'v1', kind: 'Eviction' },
  type: 'io.k8s.api.policy.v1.Eviction',
}

export async function evict(request: ResourceRequest): Promise<Answer> {
  const { call, info, server } = request
  const form = formOf(request, negotiateOutput(call))
  const created = writeOptions(call.query, 'create')
  const eviction = await decodeTyped(request, EVICTION, created.fieldValidation)
  matchNamespace(request, eviction)
  if (eviction.metadata.name !== info.name) {
    throw badRequest('name in URL does not match name in Eviction object')
  }
  const asked = deleteOptions(call.query, eviction.deleteOptions ?? {})
  let options: DeleteOptions = { ...asked, dryRun: asked.dryRun || created.dryRun }
  if (!options.dryRun) {
    const nowMs = server.clock.nowMs()
    const marked = await replaceObject(request, pods, info.name, false, (pod) => {
      checkPreconditions(request, pod, options)
      return withReason(pod as unknown as Pod, nowMs)
    })
    options = following(options, marked)
  }
  await deleteObject(request, info.name, options)
  const success = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
  return rendered(201, success, form)
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
      ...{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' },
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
