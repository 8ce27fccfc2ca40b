// What the server writes into a pod on its own account (pkg/registry/core/pod/strategy.go).

import { own } from '../../lib/own.ts'
import type { RequestContext } from '../resource.ts'
import type { LabelSelector, Pod, PodSpec } from '../schema/generated/types.ts'
import { formatTime } from '../time.ts'
import { copyAppArmorAnnotations } from './profiles.ts'
import { qosClassOf } from './resources.ts'

/** A new pod is Pending, and its selectors name the labels that it was created with. */
export function preparePod(pod: Pod, { nowMs }: Pick<RequestContext, 'nowMs'>) {
  dropDisabledFields(pod.spec)
  pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) }
  if (pod.spec.schedulingGates && pod.spec.schedulingGates.length > 0) {
    pod.status.conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        // As Go writes one: the time of the last probe is there even when there was none.
        lastProbeTime: null as unknown as string,
        lastTransitionTime: formatTime(nowMs),
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
      },
    ]
  }
  mergeLabelKeys(pod)
  copyAppArmorAnnotations(pod.spec, pod.metadata)
}

/** Fields of features that are off, as they are upstream by default; they are dropped unread. */
export function dropDisabledFields(spec: PodSpec | undefined) {
  if (spec === undefined) return
  delete spec.schedulingGroup
  for (const { projected } of spec.volumes ?? []) {
    for (const source of projected?.sources ?? []) {
      delete source.clusterTrustBundle
      delete source.podCertificate
    }
  }
  const { containers, initContainers, ephemeralContainers } = spec
  for (const list of [containers, initContainers, ephemeralContainers]) {
    for (const container of list ?? []) {
      if (container.lifecycle?.stopSignal === undefined) continue
      const { stopSignal: _signal, ...lifecycle } = container.lifecycle
      if (Object.keys(lifecycle).length > 0) container.lifecycle = lifecycle
      else delete container.lifecycle
    }
  }
}

/**
 * Grace in seconds for deleting `pod`, of which the caller asked for `asked`. What runs nowhere,
 * or no longer, goes at once.
 */
export function deletionGraceSeconds(pod: Pod, asked?: number): number {
  const isDone = ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')
  if (!pod.spec.nodeName || isDone) return 0
  const seconds = asked ?? pod.spec.terminationGracePeriodSeconds ?? 0
  return seconds < 0 ? 1 : seconds
}

type KeyedTerm = {
  labelSelector?: LabelSelector
  matchLabelKeys?: string[]
  mismatchLabelKeys?: string[]
}

function mergeLabelKeys({ spec, metadata }: Pod) {
  const labels = metadata.labels ?? {}
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  for (const affinity of [podAffinity, podAntiAffinity]) {
    const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
    for (const { podAffinityTerm } of preferred) mergeKeys(podAffinityTerm, labels)
    for (const term of required) mergeKeys(term, labels)
  }
  for (const constraint of spec.topologySpreadConstraints ?? []) mergeKeys(constraint, labels)
}

function mergeKeys(term: KeyedTerm | undefined, labels: Readonly<Record<string, string>>) {
  const selector = term?.labelSelector
  if (selector === undefined) return
  const merge = (keys: readonly string[] | undefined, operator: string) => {
    const added = (keys ?? []).flatMap((key) => {
      const value = own(labels, key)
      return value === undefined ? [] : [{ key, operator, values: [value] }]
    })
    if (added.length === 0) return
    selector.matchExpressions = [...(selector.matchExpressions ?? []), ...added]
  }
  merge(term?.matchLabelKeys, 'In')
  merge(term?.mismatchLabelKeys, 'NotIn')
}
