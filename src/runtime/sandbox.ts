// What the containers of a pod share: namespaces, network, cgroup, shared memory, host name.
//
//   namespaces (bind mounts, no process) ─┬─► network (CNI)
//                                         ├─► cgroup
//                                         └─► shared memory, files, holder of processes
//
// The record is written before anything is made and again when all is, so that a crash in between
// shows as a broken sandbox that can be removed.

import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerError } from '../api/pod/container-error.ts'
import type { HostPort } from '../api/pod/host-ports.ts'
import { hostPortsOf } from '../api/pod/host-ports.ts'
import { isSysctlName, namespaceOfSysctl, normalSysctl, sysctlPath } from '../api/pod/sysctls.ts'
import type { Pod } from '../api/schema/generated/types.ts'
import type { Clock } from '../lib/clock.ts'
import { isMissing, removeIfAny } from '../lib/files.ts'
import {
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  type NamespaceKind,
  type Syscalls,
} from '../lib/linux/syscalls.ts'
import type { Log } from '../lib/log.ts'
import type { PodNetwork } from '../network/contract.ts'
import type { ResolvConf } from '../volumes/contract.ts'
import {
  type CgroupHost,
  makeCgroup,
  planPodCgroup,
  processesIn,
  removeCgroup,
} from './cgroups/pod-cgroup.ts'
import type { SandboxConfig, SandboxSeen } from './contract.ts'
import type { Ctr } from './ctr.ts'
import { startHolder, stopHolder } from './holder.ts'
import type { HostFacts, SandboxParts } from './spec/container-spec.ts'
import { podLimits } from './spec/resources.ts'

export type SandboxOptions = {
  ctr: Ctr
  syscalls: Syscalls
  network: PodNetwork
  cgroups: CgroupHost
  host: HostFacts
  clock: Clock
  log: Log
  /** Records: survive a reboot. */
  stateDir: string
  /** Namespaces and mounts: do not. */
  runDir: string
}

export type SandboxRecord = {
  readonly podUid: string
  readonly podName: string
  readonly podNamespace: string
  readonly ips: readonly string[]
  readonly createdAtMs: number
  readonly cgroupParent: string
  readonly hostname: string
  readonly hostNetwork: boolean
  readonly hostIpc: boolean
  readonly hostPid: boolean
  readonly ports: readonly HostPort[]
  readonly holderPid: number | undefined
  readonly isWhole: boolean
}

const SHM_BYTES = 64 * 1024 * 1024

export class Sandboxes {
  readonly #options: SandboxOptions
  readonly #records = new Map<string, SandboxRecord>()
  /** Found whole in this run of the agent; a reboot, which could take them, ends us too. */
  readonly #ready = new Set<string>()

  constructor(options: SandboxOptions) {
    this.#options = options
  }

  async load(): Promise<void> {
    const { stateDir } = this.#options
    await mkdir(stateDir, { recursive: true, mode: 0o700 })
    for (const name of await readdir(stateDir)) {
      if (!name.endsWith('.json')) continue
      const record = await readRecord(join(stateDir, name))
      if (record !== undefined) this.#records.set(record.podUid, record)
    }
  }

  uids(): string[] {
    return [...this.#records.keys()]
  }

  get(podUid: string): SandboxRecord | undefined {
    return this.#records.get(podUid)
  }

  seen(podUid: string): SandboxSeen | undefined {
    const record = this.#records.get(podUid)
    if (record === undefined) return undefined
    const { ips, createdAtMs } = record
    return { podUid, state: this.#isReady(record) ? 'ready' : 'broken', ips, createdAtMs }
  }

  /** Idempotent; what a crash or a reboot left half there is made anew. */
  async create(pod: Pod, config: SandboxConfig, signal: AbortSignal): Promise<SandboxSeen> {
    const draft = this.#draft(pod, config)
    const present = this.#records.get(draft.podUid)
    if (present !== undefined && this.#isReady(present)) return this.seen(draft.podUid)!
    if (present !== undefined) await this.remove(draft.podUid, signal)
    await this.#save(draft)
    await mkdir(this.#folder(draft.podUid), { recursive: true, mode: 0o711 })
    this.#makeNamespaces(draft, config)
    this.#mountShm(draft)
    const [ips] = await Promise.all([
      this.#attach(draft, signal),
      this.#makeCgroup(pod, config),
      this.#writeFiles(draft, config),
    ])
    const isShared = pod.spec?.shareProcessNamespace === true && !draft.hostPid
    const holderPid = isShared ? await this.#hold(draft, signal) : undefined
    await this.#save({ ...draft, ips, holderPid, isWhole: true })
    return this.seen(draft.podUid)!
  }

  /** Idempotent. Containers must have been removed before; what still runs is killed. */
  async remove(podUid: string, signal: AbortSignal): Promise<void> {
    const { ctr, network, cgroups, syscalls } = this.#options
    const record = this.#records.get(podUid)
    if (record === undefined) return
    const folder = this.#folder(podUid)
    if (record.holderPid !== undefined) await stopHolder(ctr, podUid, signal)
    await network.detach(this.#attachment(record), signal)
    for (const pid of await processesIn(cgroups, record.cgroupParent)) kill(pid)
    for (const kind of namespacesOf(record)) syscalls.unmount(join(folder, kind))
    syscalls.unmount(join(folder, 'shm'))
    await removeIfAny(folder)
    await removeCgroup(cgroups, record.cgroupParent).catch((error) =>
      // A process that is still dying keeps its cgroup; the next pod does not need it.
      this.#options.log.warn('removing the cgroup of a pod failed', { podUid, error }),
    )
    await removeIfAny(this.#recordPath(podUid))
    this.#records.delete(podUid)
    this.#ready.delete(podUid)
  }

  /** What a container of this pod joins. `targetPid` shares the processes of another container. */
  parts(podUid: string, targetPid: number | undefined): SandboxParts {
    const record = this.#records.get(podUid)!
    const folder = this.#folder(podUid)
    const inFolder = (kind: NamespaceKind) =>
      namespacesOf(record).includes(kind) ? join(folder, kind) : undefined
    const sharedPid = targetPid ?? record.holderPid
    return {
      netNamespace: inFolder('net'),
      ipcNamespace: inFolder('ipc'),
      utsNamespace: inFolder('uts'),
      pidNamespace: record.hostPid
        ? 'host'
        : sharedPid === undefined
          ? 'own'
          : { path: `/proc/${sharedPid}/ns/pid` },
      hostname: record.hostname,
      shmDir: record.hostIpc ? '/dev/shm' : join(folder, 'shm'),
      resolvConf: join(folder, 'resolv.conf'),
      hostnameFile: join(folder, 'hostname'),
    }
  }

  /** Path of the network namespace; undefined for the host's. */
  netns(podUid: string): string | undefined {
    const record = this.#records.get(podUid)
    if (record === undefined || record.hostNetwork) return undefined
    return join(this.#folder(podUid), 'net')
  }

  #draft(pod: Pod, config: SandboxConfig): SandboxRecord {
    const { metadata, spec } = pod
    return {
      podUid: metadata.uid!,
      podName: metadata.name!,
      podNamespace: metadata.namespace!,
      ips: [],
      createdAtMs: this.#options.clock.nowMs(),
      cgroupParent: config.cgroupParent,
      hostname: config.hostname,
      hostNetwork: spec?.hostNetwork ?? false,
      hostIpc: spec?.hostIPC ?? false,
      hostPid: spec?.hostPID ?? false,
      ports: portMappingsOf(pod),
      holderPid: undefined,
      isWhole: false,
    }
  }

  #makeNamespaces(record: SandboxRecord, config: SandboxConfig): void {
    const kinds = namespacesOf(record)
    const sysctls = planSysctls(kinds, config.sysctls)
    if (kinds.length === 0) return
    const folder = this.#folder(record.podUid)
    const files = kinds.map((kind) => [kind, join(folder, kind)] as const)
    for (const [, path] of files) writeFileSync(path, '', { mode: 0o444 })
    this.#options.syscalls.makeNamespaces(Object.fromEntries(files), record.hostname, () => {
      for (const [name, value] of sysctls) writeFileSync(sysctlPath(name), value)
    })
  }

  #mountShm(record: SandboxRecord): void {
    if (record.hostIpc) return
    const { syscalls } = this.#options
    const target = join(this.#folder(record.podUid), 'shm')
    mkdirSync(target, { recursive: true })
    const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    const data = `mode=1777,size=${SHM_BYTES}`
    syscalls.mount({ source: 'shm', target, type: 'tmpfs', flags, data })
  }

  async #attach(record: SandboxRecord, signal: AbortSignal): Promise<string[]> {
    if (record.hostNetwork) return []
    return this.#options.network.attach(this.#attachment(record), signal)
  }

  #attachment(record: SandboxRecord) {
    const { podUid, podName, podNamespace, ports } = record
    return {
      id: podUid,
      podName,
      podNamespace,
      ports,
      netnsPath: join(this.#folder(podUid), 'net'),
    }
  }

  async #makeCgroup(pod: Pod, config: SandboxConfig): Promise<void> {
    await makeCgroup(planPodCgroup(this.#options.cgroups, config.cgroupParent, podLimits(pod)))
  }

  async #writeFiles(record: SandboxRecord, config: SandboxConfig): Promise<void> {
    const folder = this.#folder(record.podUid)
    await writeFile(join(folder, 'resolv.conf'), resolvConf(config.resolvConf), { mode: 0o644 })
    await writeFile(join(folder, 'hostname'), `${record.hostname}\n`, { mode: 0o644 })
  }

  #hold(record: SandboxRecord, signal: AbortSignal): Promise<number> {
    const { ctr, host } = this.#options
    const folder = this.#folder(record.podUid)
    const names = { net: 'network', ipc: 'ipc', uts: 'uts' }
    const wish = {
      podUid: record.podUid,
      folder,
      cgroupParent: record.cgroupParent,
      namespaces: namespacesOf(record).map((kind) => ({
        type: names[kind],
        path: join(folder, kind),
      })),
      oomScoreAdj: host.oomScoreAdj,
      arch: host.arch,
    }
    return startHolder(ctr, wish, signal)
  }

  #isReady(record: SandboxRecord): boolean {
    if (!record.isWhole) return false
    if (this.#ready.has(record.podUid)) return true
    const kinds = namespacesOf(record)
    // With nothing of its own there is nothing that a reboot could have taken.
    if (kinds.length === 0) return true
    const path = join(this.#folder(record.podUid), kinds[0]!)
    const isReady = this.#options.syscalls.isNamespace(path)
    if (isReady) this.#ready.add(record.podUid)
    return isReady
  }

  #folder(podUid: string): string {
    return join(this.#options.runDir, podUid)
  }

  #recordPath(podUid: string): string {
    return join(this.#options.stateDir, `${podUid}.json`)
  }

  async #save(record: SandboxRecord): Promise<void> {
    const path = this.#recordPath(record.podUid)
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
    await rename(`${path}.new`, path)
    this.#records.set(record.podUid, record)
  }
}

/** So that ordinary users in a pod may serve port 80 and ping, as container runtimes do now. */
const NET_DEFAULTS: readonly (readonly [string, string])[] = [
  ['net.ipv4.ip_unprivileged_port_start', '0'],
  ['net.ipv4.ping_group_range', '0 2147483647'],
]

/** Pods of the host's network have the host's name too. */
function namespacesOf(record: SandboxRecord): NamespaceKind[] {
  return [
    ...(record.hostNetwork ? [] : (['net', 'uts'] as const)),
    ...(record.hostIpc ? [] : (['ipc'] as const)),
  ]
}

/** A pod on the network of its node has its ports already. */
export function portMappingsOf({ spec }: Pod): HostPort[] {
  return spec.hostNetwork ? [] : hostPortsOf(spec)
}

export function resolvConf({ servers, searches, options }: ResolvConf): string {
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/**
 * What is written into namespaces that were just made, by normal name. Whatever was decided
 * before: a setting of the node itself, or of a namespace that is the node's, is never written.
 */
export function planSysctls(
  kinds: readonly NamespaceKind[],
  wanted: Readonly<Record<string, string>>,
): Map<string, string> {
  const hasNet = kinds.includes('net')
  const sysctls = new Map(hasNet ? NET_DEFAULTS : [])
  for (const [name, value] of Object.entries(wanted)) {
    const plain = normalSysctl(name)
    const namespace = isSysctlName(name) ? namespaceOfSysctl(plain) : undefined
    const isOwn = namespace === 'IPC' ? kinds.includes('ipc') : namespace === 'Net' && hasNet
    if (!isOwn) {
      throw new ContainerError(
        'SysctlForbidden',
        `sysctl "${plain}" is not of a namespace of the pod`,
      )
    }
    sysctls.set(plain, value)
  }
  return sysctls
}

async function readRecord(path: string): Promise<SandboxRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Nothing can be done about a process that has just ended, or cannot be killed. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ESRCH: it is gone, which is what was wanted.
  }
}
