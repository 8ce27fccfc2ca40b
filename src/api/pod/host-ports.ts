// Ports of the node that a pod takes for itself. Pure.

import type { PodSpec } from '../schema/generated/types.ts'
import { longRunning } from './containers.ts'

export type HostPort = {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: string
  /** Empty for every address of the node. */
  readonly hostIP: string
}

export function hostPortsOf(spec: PodSpec): HostPort[] {
  return longRunning(spec).flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = 'TCP', hostIP = '' }) =>
      hostPort ? [{ hostPort, containerPort, protocol, hostIP }] : [],
    ),
  )
}

/** Whether two pods of one node cannot have both. */
export function portsConflict(a: HostPort, b: HostPort): boolean {
  if (a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false
  return isAny(a) || isAny(b) || a.hostIP === b.hostIP
}

function isAny({ hostIP }: HostPort): boolean {
  return hostIP === '' || hostIP === '0.0.0.0'
}
