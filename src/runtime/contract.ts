// The contract between the agent and whatever runs containers. It decides nothing: which container
// to start, when, and whether again, is the pod plan's business.
//
// Everything the runtime must remember over a restart of the agent lives with the container
// (containerd labels) or under its state folder, so that `observe` finds again what runs.

import type { Container, Pod } from '../api/schema/generated/types.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import type { MountConfig, ResolvConf } from '../volumes/contract.ts'

export type ContainerKind = 'init' | 'regular' | 'ephemeral'

/** One attempt to run one container of a pod. */
export type ContainerSeen = {
  /** As in status.containerStatuses[].containerID, without the scheme. */
  readonly id: string
  readonly podUid: string
  readonly name: string
  readonly kind: ContainerKind
  /** 0 for the first start in this pod. */
  readonly attempt: number
  readonly state: 'created' | 'running' | 'exited' | 'unknown'
  readonly createdAtMs: number
  readonly startedAtMs: number | undefined
  readonly exitedAtMs: number | undefined
  readonly exitCode: number | undefined
  /** The signal that ended it, when the runtime knows. */
  readonly signal: number | undefined
  readonly oomKilled: boolean
  /** The image as the pod names it, and the digest that runs. */
  readonly image: string
  readonly imageId: string
  /** Set when creating or starting it failed: StartError, CreateContainerError and the like. */
  readonly failure: { reason: string; message: string } | undefined
  /** Whom its first process runs as; left out when the runtime does not remember. */
  readonly user?: { uid: number; gid: number; supplementalGroups: number[] }
}

export type SandboxSeen = {
  readonly podUid: string
  readonly state: 'ready' | 'broken'
  /** Empty for host-network pods. */
  readonly ips: readonly string[]
  readonly createdAtMs: number
}

export type PodSeen = {
  readonly sandbox: SandboxSeen | undefined
  /** Newest attempt last. At least the newest two attempts of each container are kept. */
  readonly containers: readonly ContainerSeen[]
}

/** Everything needed to start one container, worked out by the agent from the pod. */
export type ContainerConfig = {
  readonly pod: Pod
  readonly container: Container
  readonly kind: ContainerKind
  readonly attempt: number
  /** Local reference of a pulled image, as `ImageStore.ensure` returned it. */
  readonly image: ImageSeen
  readonly command: readonly string[] | undefined
  readonly args: readonly string[] | undefined
  /** Already expanded; NAME=value. */
  readonly env: readonly string[]
  readonly mounts: readonly MountConfig[]
  /** cgroup of the pod, relative to the root: kubepods/burstable/pod<uid>. */
  readonly cgroupParent: string
  readonly oomScoreAdj: number
  /** Log file to write, absolute: /var/log/pods/<ns>_<pod>_<uid>/<container>/<attempt>.log. */
  readonly logPath: string
  /** Host file that is mounted at the container's terminationMessagePath. */
  readonly terminationMessageFile: string
  /** Supplemental groups that volumes ask for. */
  readonly volumeGroups: readonly number[]
}

export interface Runtime {
  /** `containerd://1.6.20`, for node status. */
  version(signal: AbortSignal): Promise<string>
  /** Everything of ours on this node, by pod UID: what to adopt, and what nobody asks for. */
  observeAll(signal: AbortSignal): Promise<ReadonlyMap<string, PodSeen>>
  observe(podUid: string, signal: AbortSignal): Promise<PodSeen>
  /** Calls `changed` with a pod's UID when one of its containers started or ended. */
  onChange(changed: (podUid: string) => void): () => void

  /** Namespaces, cgroup, network (CNI); idempotent. Resolves with what was made. */
  createSandbox(pod: Pod, config: SandboxConfig, signal: AbortSignal): Promise<SandboxSeen>
  /**
   * Network, namespaces, cgroup, whatever is left of containers; idempotent. Log files stay: they
   * go with the pod's folder, when the pod itself is gone from the API.
   */
  removeSandbox(podUid: string, signal: AbortSignal): Promise<void>
  startContainer(config: ContainerConfig, signal: AbortSignal): Promise<ContainerSeen>
  /** Sends the stop signal, waits up to `graceSeconds`, then kills. Resolves when it has exited. */
  stopContainer(id: string, graceSeconds: number, signal: AbortSignal): Promise<void>
  /** Removes an exited container with its snapshot, and its log file when asked. */
  removeContainer(id: string, options: { logs: boolean }, signal: AbortSignal): Promise<void>

  /** Runs a command in a container. `exitCode` resolves when it has ended. */
  exec(id: string, options: ExecOptions, signal: AbortSignal): Promise<ExecSession>
  /** Joins the streams of the container's first process. */
  attach(id: string, options: AttachOptions, signal: AbortSignal): Promise<ExecSession>
  /** Connects to a port inside the pod's network namespace (localhost there). */
  dialPort(podUid: string, port: number, signal: AbortSignal): Promise<ByteStream>
  /** CPU and memory of a running container, in nanoseconds of CPU time and bytes. */
  usage(id: string, signal: AbortSignal): Promise<{ cpuNanos: number; memoryBytes: number }>
}

export type SandboxConfig = {
  readonly hostname: string
  readonly cgroupParent: string
  readonly resolvConf: ResolvConf
  readonly sysctls: Readonly<Record<string, string>>
}

export type ExecOptions = {
  command: readonly string[]
  tty: boolean
  stdin: boolean
}

export type AttachOptions = { tty: boolean; stdin: boolean }

export interface ExecSession {
  readonly stdout: ReadableStream<Uint8Array>
  /** Empty with a tty. */
  readonly stderr: ReadableStream<Uint8Array>
  write(bytes: Uint8Array): Promise<void>
  endInput(): Promise<void>
  resize(columns: number, rows: number): void
  readonly exitCode: Promise<number>
  close(): void
}

export type ImageSeen = {
  /** sha256:… of the image configuration, as in status.containerStatuses[].imageID. */
  readonly id: string
  /** What containerd knows it by. */
  readonly name: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly sizeBytes: number
  readonly config: ImageConfig
}

/** The parts of the OCI image configuration that a container's spec depends on. */
export type ImageConfig = {
  readonly user: string
  readonly env: readonly string[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly workingDir: string
  readonly stopSignal: string
  readonly volumes: readonly string[]
}

export type PullCredentials = { username: string; password: string }

export interface ImageStore {
  /** What is here under this name, made full (docker.io/library/…); undefined if nothing. */
  find(image: string, signal: AbortSignal): Promise<ImageSeen | undefined>
  /** Pulls; throws ContainerError ErrImagePull or InvalidImageName. Equal pulls share one. */
  pull(
    image: string,
    credentials: readonly PullCredentials[],
    signal: AbortSignal,
  ): Promise<ImageSeen>
  list(signal: AbortSignal): Promise<readonly ImageSeen[]>
  remove(image: string, signal: AbortSignal): Promise<void>
  /** Loads an OCI or docker archive; returns the names it brought. */
  import(archivePath: string, signal: AbortSignal): Promise<readonly string[]>
}
