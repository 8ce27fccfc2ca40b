// Eviction: a deletion that says why, and that budgets may refuse.

import { pods } from '../../../api/kinds/core/pod/row.ts'
import { podDisruptionBudgets } from '../../../api/kinds/policy/poddisruptionbudget/row.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { Pod, PodDisruptionBudget } from '../../../api/schema/generated/types.ts'
import { badRequest, fieldError, invalid, isConflict, notFound } from '../../../api/status.ts'
import type { BodyType } from '../../request/decode.ts'
import { type DeleteOptions, deleteOptions } from '../../request/options.ts'
import type { ResourceRequest } from '../../server.ts'
import { writeOwnStatus } from '../../storage/own-status.ts'
import { readObject } from '../../storage/reader.ts'
import { decodeStored, storePrefix } from '../../storage/stored.ts'
import { changeStored, guaranteedUpdate } from '../guaranteed-update.ts'
import { checkPreconditions, deleteAdmitted } from '../verbs/delete.ts'
import { type Action, SUCCESS } from './action.ts'
import {
  budgetOf,
  chargeEviction,
  isFreeToGo,
  isPast,
  mayGoUnready,
  stillProcessed,
} from './eviction-plan.ts'
import { podCondition } from './pod-condition.ts'

const EVICTION: BodyType = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  type: 'io.k8s.api.policy.v1.Eviction',
}

/** A pod that changes more often than this has no peace to be evicted in. */
const ATTEMPTS_MAX = 20

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
        checkOptions(info.name, body)
        const asked = deleteOptions(call.query, body.deleteOptions ?? {})
        deletion = { ...asked, dryRun: asked.dryRun || options.dryRun }
        return body
      },
      async store() {
        await evict(request, deletion)
        return SUCCESS
      },
    }
  },
}

const FORCED = 'ignoreStoreReadErrorWithClusterBreakingPotential'

function checkOptions(name: string, { deleteOptions }: AnyObject) {
  if ((deleteOptions as Record<string, unknown> | undefined)?.[FORCED] !== true) return
  const detail = 'can not be set for pod eviction, try after removing the option'
  throw invalid(EVICTION, name, [fieldError.invalid(`deleteOptions.${FORCED}`, true, detail)])
}

async function evict(request: ResourceRequest, options: DeleteOptions): Promise<void> {
  const pod = await evictFree(request, options)
  if (pod === undefined) return
  const budget = budgetOf(pod, budgetsBeside(request))
  if (budget === undefined) return markAndDelete(request, options)
  if (mayGoUnready(pod, budget)) {
    // Should it become ready meanwhile, then it counts after all.
    const settled = standingAs(pod, options)
    return markAndDelete(request, settled).catch((error) => {
      const isOurs = settled !== options && isConflict(error)
      throw isOurs ? stillProcessed(budget.metadata.name ?? '') : error
    })
  }
  await charge(request, budget.metadata.name ?? '', options)
  await markAndDelete(request, options)
}

/** Pods that no budget is asked about go at once; the pod comes back when it is not one of them. */
async function evictFree(
  request: ResourceRequest,
  options: DeleteOptions,
): Promise<Pod | undefined> {
  for (let attempt = 1; ; attempt++) {
    const pod = readPod(request)
    if (!isFreeToGo(pod)) return pod
    const settled = isPast(pod) ? options : standingAs(pod, options)
    try {
      await markAndDelete(request, settled)
      return undefined
    } catch (error) {
      // Another look tells whether it is still free to go.
      if (settled === options || !isConflict(error) || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

function readPod({ server, info }: ResourceRequest): Pod {
  const pod = readObject(server.store, pods, info)
  if (pod === undefined) throw notFound(pods, info.name)
  return pod
}

function budgetsBeside({ server, info }: ResourceRequest): PodDisruptionBudget[] {
  const prefix = storePrefix(podDisruptionBudgets, info.namespace)
  return server.store
    .list(prefix)
    .entries.map(
      (entry) => decodeStored(podDisruptionBudgets, entry) as unknown as PodDisruptionBudget,
    )
}

/** The same wish, for the pod as it stands; unless the caller has said how it must stand. */
function standingAs({ metadata }: Pod, options: DeleteOptions): DeleteOptions {
  const { preconditions } = options
  if (preconditions?.resourceVersion !== undefined) return options
  const { resourceVersion = '' } = metadata
  return { ...options, preconditions: { ...preconditions, resourceVersion } }
}

/** Notes the eviction in the budget. Throws 429 when that allows none. */
async function charge(request: ResourceRequest, name: string, { dryRun }: DeleteOptions) {
  const { server, info } = request
  await guaranteedUpdate<object>(request, podDisruptionBudgets, name, async (entry) => {
    if (entry === undefined) throw notFound(podDisruptionBudgets, name)
    const budget = decodeStored(podDisruptionBudgets, entry) as unknown as PodDisruptionBudget
    const nowMs = server.clock.nowMs()
    const object = { ...budget, status: chargeEviction(budget, info.name, nowMs) }
    if (dryRun) return object
    const written = { entry, object, nowMs }
    const result = await writeOwnStatus(server.store, podDisruptionBudgets, written)
    return result.ok ? object : undefined
  })
}

async function markAndDelete(request: ResourceRequest, options: DeleteOptions): Promise<void> {
  const marked = options.dryRun ? options : await markEvicted(request, options)
  await deleteAdmitted(request, request.info.name, marked)
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
