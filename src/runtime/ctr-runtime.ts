// The runtime on containerd: puts the parts together and answers for them.
//
// What runs is known from memory; memory is brought up to date by containerd's events and, whenever
// the stream of events (re)starts, by one look at containerd's tasks. So looking at a pod costs
// nothing, and nothing is polled.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '../api/schema/generated/types.ts'
import { orAbort } from '../lib/abort.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component, Running } from '../lib/component.ts'
import type { PtyStart } from '../lib/linux/pty.ts'
import type { Syscalls } from '../lib/linux/syscalls.ts'
import type { Log } from '../lib/log.ts'
import type { DetachedProcesses, Processes } from '../lib/process.ts'
import type { Random } from '../lib/random.ts'
import { forEachLimited } from '../lib/tasks.ts'
import type { PodNetwork } from '../network/contract.ts'
import { attachTo } from './attach.ts'
import { type CgroupHost, readCgroupHost } from './cgroups/pod-cgroup.ts'
import { readUsage } from './cgroups/usage.ts'
import { type Containerd, NAMESPACE } from './containerd.ts'
import { Containers, type Task } from './containers.ts'
import type {
  AttachOptions,
  ContainerConfig,
  ContainerSeen,
  ExecOptions,
  ExecSession,
  PodSeen,
  Runtime,
  SandboxConfig,
  SandboxSeen,
} from './contract.ts'
import { parseTable } from './ctr.ts'
import { dialLocalhost } from './dial.ts'
import { type ContainerdEvent, followEvents } from './events.ts'
import { containerGone, startExec } from './exec.ts'
import { readHostFacts } from './host-facts.ts'
import type { CtrImages } from './images/ctr-images.ts'
import { type ContainerRecord, seenOf } from './record.ts'
import { Rootfs } from './rootfs.ts'
import { Sandboxes } from './sandbox.ts'

export type CtrRuntimeOptions = {
  processes: Processes & DetachedProcesses
  pty: PtyStart
  syscalls: Syscalls
  clock: Clock
  random: Random
  log: Log
  containerd: Containerd
  images: CtrImages
  network: PodNetwork
  /** Records and writable layers of containers. /var/lib/kedge/agent/runtime */
  stateDir: string
  /** Namespaces, FIFOs, runc's state: gone after a reboot. /run/kedge */
  runDir: string
  /** Links that log collectors follow: /var/log/containers. Undefined for none. */
  linksDir: string | undefined
  /** Profiles for seccompProfile.localhostProfile: /var/lib/kedge/agent/seccomp */
  seccompDir: string
  /** Default: /sys/fs/cgroup. */
  cgroupRoot?: string
  /** Processor, as Bun names it: x64, arm64. */
  arch: string
}

/** A containerd that hangs with its connections open is found out after this long. */
const VERSION_MS = 60_000
/** Containers of one pod that are removed at once. */
const PARALLEL_MAX = 4

type Parts = { rootfs: Rootfs; sandboxes: Sandboxes; containers: Containers; cgroups: CgroupHost }

export class CtrRuntime implements Runtime, Component {
  readonly name = 'container runtime'
  readonly #options: CtrRuntimeOptions
  readonly #listeners = new Set<(podUid: string) => void>()
  #parts: Parts | undefined
  #isFollowing = false
  #version: { text: string; untilMs: number } | undefined

  constructor(options: CtrRuntimeOptions) {
    this.#options = options
  }

  /** Resolves once everything that runs is known. When `signal` aborts, containers run on. */
  async start(signal: AbortSignal): Promise<Running> {
    const { containerd, clock, log, images, cgroupRoot = '/sys/fs/cgroup' } = this.#options
    const parts = await this.#makeParts(cgroupRoot)
    await parts.containers.load()
    await parts.sandboxes.load()
    this.#parts = parts
    await this.#collectNetwork(parts, signal)
    const up = Promise.withResolvers<void>()
    const onEvent = (event: ContainerdEvent) => {
      if (event.topic.startsWith('/images/')) images.markStale()
      else parts.containers.onEvent(event)
    }
    const synchronise = async (joint: AbortSignal) => {
      images.markStale()
      await parts.containers.synchronise(await this.#tasks(joint), joint)
    }
    const events = { containerd, clock, log, onEvent, synchronise }
    const onState = (isUp: boolean) => {
      this.#version = undefined
      this.#isFollowing = isUp
      if (isUp) up.resolve()
    }
    const done = followEvents(events, onState, signal).finally(() => parts.containers.detach())
    // Whoever waits for `done` hears of it too.
    await orAbort(Promise.race([up.promise, done]), signal)
    return { done }
  }

  /** Asked now and then; at once when the stream of events is not there to vouch for containerd. */
  async version(signal: AbortSignal): Promise<string> {
    const { containerd, clock } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#version !== undefined && nowMs < this.#version.untilMs) return this.#version.text
    const text = await containerd.version(signal)
    this.#version = this.#isFollowing ? { text, untilMs: nowMs + VERSION_MS } : undefined
    return text
  }

  async observeAll(signal: AbortSignal): Promise<ReadonlyMap<string, PodSeen>> {
    const { sandboxes, containers } = this.#running()
    const uids = new Set([...sandboxes.uids(), ...containers.podUids()])
    const pods = new Map<string, PodSeen>()
    for (const uid of uids) pods.set(uid, await this.observe(uid, signal))
    return pods
  }

  async observe(podUid: string, signal: AbortSignal): Promise<PodSeen> {
    signal.throwIfAborted()
    const { sandboxes, containers } = this.#running()
    return {
      sandbox: sandboxes.seen(podUid),
      containers: containers.ofPod(podUid).map(seenOf),
    }
  }

  onChange(changed: (podUid: string) => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  createSandbox(pod: Pod, config: SandboxConfig, signal: AbortSignal): Promise<SandboxSeen> {
    return this.#running().sandboxes.create(pod, config, signal)
  }

  async removeSandbox(podUid: string, signal: AbortSignal): Promise<void> {
    const { sandboxes, containers } = this.#running()
    await forEachLimited(containers.ofPod(podUid), PARALLEL_MAX, ({ id }) =>
      containers.remove(id, false, signal),
    )
    await sandboxes.remove(podUid, signal)
    await this.#sweep(signal)
  }

  async startContainer(config: ContainerConfig, signal: AbortSignal): Promise<ContainerSeen> {
    return seenOf(await this.#running().containers.start(config, signal))
  }

  stopContainer(id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
    return this.#running().containers.stop(id, graceSeconds, signal)
  }

  async removeContainer(id: string, options: { logs: boolean }, signal: AbortSignal) {
    await this.#running().containers.remove(id, options.logs, signal)
    await this.#sweep(signal)
  }

  async exec(id: string, options: ExecOptions, signal: AbortSignal): Promise<ExecSession> {
    const { containers, cgroups } = this.#running()
    const record = containers.get(id)
    if (record?.state !== 'running') throw containerGone(id)
    const { processes, pty, clock, random, runDir } = this.#options
    const parts = {
      processes,
      pty,
      clock,
      random,
      cgroups,
      runc: 'runc',
      runcRoot: join(this.#runcRoot(), NAMESPACE),
      runDir: join(runDir, 'exec'),
    }
    const { cgroupPath } = record
    return startExec(parts, { id, cgroupPath, specPath: containers.specPath(id) }, options, signal)
  }

  async attach(id: string, options: AttachOptions, signal: AbortSignal): Promise<ExecSession> {
    const { containers } = this.#running()
    const live = containers.live(id)
    const record = containers.get(id)
    if (record?.state !== 'running' || live === undefined) throw containerGone(id)
    const target = {
      log: live.log,
      exitCode: live.exited,
      stdinFifo: inputOf(record, containers),
      pid: record.pid,
      inputEnded: () => containers.inputEnded(id),
    }
    return attachTo(target, options, this.#options.processes, signal)
  }

  dialPort(podUid: string, port: number, signal: AbortSignal): Promise<ByteStream> {
    const { sandboxes } = this.#running()
    return dialLocalhost(this.#options.syscalls, sandboxes.netns(podUid), port, signal)
  }

  async usage(id: string, signal: AbortSignal) {
    signal.throwIfAborted()
    const { containers, cgroups } = this.#running()
    const record = containers.get(id)
    if (record === undefined) throw containerGone(id)
    return readUsage(cgroups, record.cgroupPath)
  }

  #running(): Parts {
    if (this.#parts === undefined) throw new Error('the container runtime has not started')
    return this.#parts
  }

  async #makeParts(cgroupRoot: string): Promise<Parts> {
    const { containerd, images, stateDir, runDir, arch } = this.#options
    const { ctr } = containerd
    for (const name of ['io', 'exec', 'pods']) {
      await mkdir(join(runDir, name), { recursive: true, mode: 0o711 })
    }
    const host = readHostFacts(cgroupRoot, arch)
    const cgroups = await readCgroupHost(cgroupRoot)
    const rootfs = new Rootfs({ ...this.#options, ctr, linksDir: join(runDir, 'layers') })
    const sandboxes = new Sandboxes({
      ...this.#options,
      ctr,
      host,
      cgroups,
      stateDir: join(stateDir, 'sandboxes'),
      runDir: join(runDir, 'pods'),
    })
    const containers = new Containers({
      ...this.#options,
      ctr,
      host,
      cgroups,
      rootfs,
      sandboxes,
      stateDir,
      runDir,
      runcRoot: this.#runcRoot(),
      chainOf: (image, signal) => images.chainOf(image, signal),
      changed: (podUid) => this.#tell(podUid),
    })
    return { rootfs, sandboxes, containers, cgroups }
  }

  async #tasks(signal: AbortSignal): Promise<Task[]> {
    const rows = parseTable(await this.#options.containerd.ctr.run(['tasks', 'ls'], signal))
    return rows.map((row) => ({
      id: row.TASK ?? '',
      pid: Number(row.PID),
      status: row.STATUS ?? '',
    }))
  }

  /** Attachments that a crash left without a sandbox. */
  async #collectNetwork({ sandboxes }: Parts, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.network.collect(new Set(sandboxes.uids()), signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#options.log.warn('giving back addresses of old pods failed', { error })
    }
  }

  /** Layers are kept for images that are here and for containers that still run older ones. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const { containers, rootfs } = this.#running()
    try {
      const chains = await this.#options.images.chains(signal)
      await rootfs.sweep(new Set([...chains, ...containers.chainsInUse()]), signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#options.log.warn('releasing layers of old images failed', { error })
    }
  }

  #runcRoot(): string {
    return join(this.#options.runDir, 'runc')
  }

  #tell(podUid: string): void {
    for (const listener of this.#listeners) listener(podUid)
  }
}

function inputOf(record: ContainerRecord, containers: Containers): string | undefined {
  if (!record.stdin) return undefined
  return containers.fifo(record.id, record.stdinOnce && !record.tty ? 'once' : 'in')
}
