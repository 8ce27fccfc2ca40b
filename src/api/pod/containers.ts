// Which containers a pod has, and which of them run together. Pure.

import type { Container, PodSpec } from '../schema/generated/types.ts'

/** A restartable init container (KEP-753): runs beside the others, until they have ended. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

/** Those that run as long as the pod does: regular containers, then sidecars. */
export function longRunning(spec: PodSpec): Container[] {
  return [...(spec.containers ?? []), ...(spec.initContainers ?? []).filter(isSidecar)]
}
