// What volumes need of the node they are on, and what the node gets from them.

import type {
  PersistentVolume,
  Pod,
  ServiceAccountTokenProjection,
  Volume,
} from '../api/schema/generated/types.ts'

/** Contents of a ConfigMap or Secret by key, in the order of the keys. */
export type Contents = ReadonlyMap<string, Uint8Array>

export interface ObjectReader {
  /** Waits for the first answer of the server; undefined when there is no such object. */
  configMap(namespace: string, name: string, signal: AbortSignal): Promise<Contents | undefined>
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Contents | undefined>
}

export interface TokenSource {
  /**
   * A token that is not due. Undefined when there is none to be had for now and the pod may start
   * without: no server in reach. Throws what the server answers.
   */
  get(
    pod: Pod,
    volume: string,
    wish: ServiceAccountTokenProjection,
    signal: AbortSignal,
  ): Promise<string | undefined>
}

/** A folder or file of the node that a container finds at a place of its own. */
export type MountConfig = {
  readonly hostPath: string
  readonly containerPath: string
  readonly readOnly: boolean
  readonly propagation: 'private' | 'rslave' | 'rshared'
}

/** What is to stand in a pod's /etc/resolv.conf. */
export type ResolvConf = {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export interface ClaimReader {
  /**
   * The volume that the claim behind `volume` is bound to, for pods that this node may mount it
   * for. Throws why there is none yet.
   */
  volumeOf(pod: Pod, volume: Volume, signal: AbortSignal): Promise<PersistentVolume>
}
