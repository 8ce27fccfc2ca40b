// What streams need of the rest of the server.

import type { EndpointSlice, Node, Pod, Service } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { NodeDialer } from '../contract.ts'

/** Stored objects, as they are now. The first three throw notFound. */
export interface StreamObjects {
  pod(namespace: string, name: string): Pod
  service(namespace: string, name: string): Service
  node(name: string): Node
  slicesOf(namespace: string, service: string): readonly EndpointSlice[]
}

export type StreamDeps = {
  readonly nodes: NodeDialer
  readonly objects: StreamObjects
  readonly clock: Clock
  readonly log: Log
  /** A number in [0, 1): which of several endpoints is asked. */
  random(): number
}

/** Where a request goes. */
export type Target =
  /** The node's own HTTP API. */
  | { readonly is: 'node'; readonly nodeName: string; readonly path: string }
  /** A pod or service, as the node reaches it. */
  | {
      readonly is: 'address'
      readonly nodeName: string
      readonly host: string
      readonly port: number
      readonly tls: boolean
      readonly path: string
    }
  /** There is nothing to be had, which is no error: the log of a pod that no node has yet. */
  | { readonly is: 'nothing' }
