// How the kubelet names pods and containers in messages.

import type { Pod } from '../api/schema/generated/types.ts'

/** `web_default(1b4e28ba-2fa1-11d2-883f-0016d3cca427)` */
export function formatPod(pod: Pod): string {
  const { name, namespace, uid } = pod.metadata
  return `${name}_${namespace}(${uid})`
}

/** The part of a pod that an event is about, as its fieldPath. */
export function fieldPathOf(pod: Pod, name: string): string | undefined {
  const lists = {
    containers: pod.spec.containers,
    initContainers: pod.spec.initContainers,
    ephemeralContainers: pod.spec.ephemeralContainers,
  }
  for (const [field, list] of Object.entries(lists)) {
    if (list?.some((container) => container.name === name)) return `spec.${field}{${name}}`
  }
  return undefined
}

/** Go's %v of a list of strings. */
export function goList(items: readonly string[]): string {
  return `[${items.join(' ')}]`
}
