// What the node's HTTP API asks about the pods of this node.

import type { Container, ContainerStatus, Pod } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { ContainerSeen, Runtime } from '../../runtime/contract.ts'
import { HttpError } from './request.ts'

export interface PodsOnNode {
  /** Resolves when the pods are known; after a start of the agent that takes a moment. */
  known(signal: AbortSignal): Promise<void>
  /** With the status as this node sees it now. */
  find(namespace: string, name: string): Pod | undefined
  list(): readonly Pod[]
}

export type StreamRuntime = Pick<Runtime, 'observe' | 'onChange' | 'exec' | 'attach' | 'dialPort'>

/** Everything that the node's HTTP API needs. */
export type NodeHttp = {
  readonly pods: PodsOnNode
  readonly runtime: StreamRuntime
  /** /var/log/pods */
  readonly logsPath: string
  readonly clock: Clock
  readonly log: Log
  /** Removes the folder of a volume that no pod here has; throws VolumeInUse while one does. */
  removeVolume(name: string): Promise<void>
  /** The kubelet's stats summary. */
  stats(signal: AbortSignal): Promise<object>
}

export function podOrThrow(
  pods: PodsOnNode,
  namespace: string,
  name: string,
  message = 'pod does not exist',
): Pod {
  const pod = pods.find(namespace, name)
  if (pod === undefined) throw new HttpError(404, message)
  return pod
}

/** The declaration of a container of any kind. */
export function containerSpec(pod: Pod, name: string): Container | undefined {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec
  const all = [...containers, ...initContainers, ...(ephemeralContainers as Container[])]
  return all.find((container) => container.name === name)
}

export function containerStatus(pod: Pod, name: string): ContainerStatus | undefined {
  const { status } = pod
  const all = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ]
  return all.find((container) => container.name === name)
}

/** The newest attempt that runs. */
export async function runningContainer(
  runtime: StreamRuntime,
  pod: Pod,
  name: string,
  signal: AbortSignal,
): Promise<ContainerSeen> {
  const { containers } = await runtime.observe(pod.metadata.uid ?? '', signal)
  const running = containers.findLast((seen) => seen.name === name && seen.state === 'running')
  if (running === undefined) {
    throw new HttpError(500, `container not found (${JSON.stringify(name)})`)
  }
  return running
}
