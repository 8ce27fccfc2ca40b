// Cgroup paths, OOM scores and users: what a pod means to its node. Pure.

import { isSidecar } from '../api/pod/containers.ts'
import { qosClassOf } from '../api/pod/resources.ts'
import { parseQuantity, wholeUnits } from '../api/quantity.ts'
import type { Container, LinuxContainerUser, Pod } from '../api/schema/generated/types.ts'

const NODE_CRITICAL_PRIORITY = 2_000_000_000

/** kubepods[/burstable|/besteffort]/pod<uid>, below the cgroup root. */
export function cgroupParentOf(pod: Pod): string {
  const qos = qosClassOf(pod)
  const tier = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`
  return `kubepods${tier}/pod${pod.metadata.uid}`
}

/**
 * Who dies first when memory runs out. A container that asks for most of the memory is nearly as
 * safe as a guaranteed one; the kubelet's qos policy.
 */
export function oomScoreAdjOf(pod: Pod, container: Container, memoryBytes: number): number {
  if ((pod.spec.priority ?? 0) >= NODE_CRITICAL_PRIORITY) return -997
  const qos = qosClassOf(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const own = burstableScore(container, memoryBytes)
  if (!isSidecar(container)) return own
  // A sidecar must not die before those that it serves.
  const others = pod.spec.containers.map((other) => burstableScore(other, memoryBytes))
  return Math.min(own, ...others)
}

function burstableScore({ resources }: Container, memoryBytes: number): number {
  const text = resources?.requests?.memory
  const requested = text === undefined ? 0 : wholeUnits(parseQuantity(text))
  const score = 1000 - Math.trunc((1000 * requested) / memoryBytes)
  return Math.min(Math.max(score, 3), 999)
}

/** Known from the pod alone, without a look into the image; undefined when it is not. */
export function userOf(pod: Pod, container: Container): LinuxContainerUser | undefined {
  const shared = pod.spec.securityContext
  const own = container.securityContext
  const uid = own?.runAsUser ?? shared?.runAsUser
  const gid = own?.runAsGroup ?? shared?.runAsGroup
  if (uid === undefined || gid === undefined) return undefined
  const groups = new Set([gid, ...volumeGroupsOf(pod), ...(shared?.supplementalGroups ?? [])])
  return { uid, gid, supplementalGroups: [...groups].toSorted((a, b) => a - b) }
}

/** Groups that let a container into the pod's volumes. */
export function volumeGroupsOf(pod: Pod): number[] {
  const fsGroup = pod.spec.securityContext?.fsGroup
  return fsGroup === undefined ? [] : [fsGroup]
}
