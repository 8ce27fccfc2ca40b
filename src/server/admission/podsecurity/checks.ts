// What a check is, and how checks name what they find.

import type {
  Container,
  ObjectMeta,
  PodSecurityContext,
  PodSpec,
  SecurityContext,
} from '../../../api/schema/generated/types.ts'

/** A pod, or the template of one. */
export type PodLike = { metadata: ObjectMeta; spec: PodSpec }

/** The reason in a few words, and what of this pod it is about. */
export type Violation = { reason: string; detail: string }

export type CheckPod = (pod: PodLike) => Violation | undefined

export type Check = {
  /** Upstream's. Findings are listed by it. */
  id: string
  /** From the oldest on: how it looks since v1.`since`. */
  versions: readonly VersionedCheck[]
}

export type VersionedCheck = {
  since: number
  check: CheckPod
  /** Checks of the level below that say less than this one: then they are not asked. */
  overrides?: readonly string[]
}

export function containersOf({ spec }: PodLike): Container[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec
  return [...initContainers, ...containers, ...(ephemeralContainers as Container[])]
}

type Context = SecurityContext | PodSecurityContext

/** The names of containers whose own security context is bad. */
export function badContainers(
  pod: PodLike,
  isBad: (context: SecurityContext) => boolean,
): string[] {
  return containersOf(pod)
    .filter(({ securityContext }) => securityContext !== undefined && isBad(securityContext))
    .map(({ name }) => name)
}

/** `pod`, `containers "a", "b"`, or both: where a security context says what is bad. */
export function badSetters(pod: PodLike, isBad: (context: Context) => boolean): string[] {
  const context = pod.spec.securityContext
  const names = badContainers(pod, isBad)
  return [
    ...(context !== undefined && isBad(context) ? ['pod'] : []),
    ...(names.length > 0 ? [containersText(names)] : []),
  ]
}

/** `container "a"`, `containers "a", "b"`. */
export function containersText(names: readonly string[]): string {
  return `${plural(names.length, 'container')} ${quoted(names)}`
}

export function plural(count: number, singular: string): string {
  return count === 1 ? singular : `${singular}s`
}

export function quoted(items: readonly string[]): string {
  return items.map((item) => `"${item}"`).join(', ')
}

export function sorted(items: Iterable<string>): string[] {
  return [...new Set(items)].sort()
}

/** Of a Windows pod what only Linux has is not asked. */
export function exceptOnWindows(check: CheckPod): CheckPod {
  return (pod) => (pod.spec.os?.name === 'windows' ? undefined : check(pod))
}

/** In a user namespace of its own, a pod's root is nobody outside of it. */
export function exceptInUserNamespace(check: CheckPod): CheckPod {
  return (pod) => (pod.spec.hostUsers === false ? undefined : check(pod))
}
