// What a pod's sandbox needs of the network of its node.

import type { HostPort } from '../api/pod/host-ports.ts'

/** A port of the node that leads to one of the pod. */
export type PortMapping = HostPort

/** A pod on its way into the network. */
export type Attachment = {
  /** Unique and stable: the pod's UID. */
  readonly id: string
  readonly podName: string
  readonly podNamespace: string
  readonly netnsPath: string
  readonly ports: readonly PortMapping[]
}

/** Attaches pods to the network. */
export interface PodNetwork {
  /** Resolves with the pod's addresses; idempotent. Throws ContainerError with a reason. */
  attach(attachment: Attachment, signal: AbortSignal): Promise<string[]>
  /** Fine when it was never attached; its namespace may be gone. */
  detach(attachment: Attachment, signal: AbortSignal): Promise<void>
  /** Detaches all but these, and gives back leaked addresses; once, when all pods are known. */
  collect(liveIds: ReadonlySet<string>, signal: AbortSignal): Promise<void>
}
