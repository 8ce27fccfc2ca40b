// Finds containerd, or starts one of our own that outlives us.
//
// Whoever answers at the address is used. If nobody does and the address is our own, we start a
// containerd there: detached, with its own root, state and configuration, so that it neither
// disturbs nor needs what the system runs. After a restart of the agent it answers, and is used.

import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Clock, timeLimit } from '../lib/clock.ts'
import { writeFileAtomic } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import type { DetachedProcesses, Processes } from '../lib/process.ts'
import { Ctr } from './ctr.ts'

export type ContainerdOptions = {
  processes: Processes & DetachedProcesses
  clock: Clock
  log: Log
  /** Socket of a containerd that somebody else runs. Default: our own. */
  address?: string
  /** Our own containerd's data: images and metadata. /var/lib/kedge/agent/containerd */
  rootDir: string
  /** Its sockets and running state, gone after a reboot. /run/kedge/containerd */
  stateDir: string
  /** Programs, when they are not in PATH under their usual names. */
  programs?: { containerd?: string; ctr?: string }
}

/** Our containers live in a namespace of containerd's that the CRI plugin does not look at. */
export const NAMESPACE = 'kedge'

const START_MS_MAX = 30_000
const RETRY_MS = 50
const LOG_BYTES_MAX = 4 * 1024 * 1024

/** Plugins that we never use: names of 1.6, 1.7 and 2.x. Unknown names do no harm. */
const DISABLED_PLUGINS = [
  ...['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime'],
  ...['io.containerd.snapshotter.v1.aufs', 'io.containerd.snapshotter.v1.btrfs'],
  ...['io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.zfs'],
  ...['io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.erofs'],
  'io.containerd.differ.v1.erofs',
  ...['io.containerd.internal.v1.restart', 'io.containerd.monitor.container.v1.restart'],
  ...['io.containerd.internal.v1.opt', 'io.containerd.internal.v1.tracing'],
  ...['io.containerd.tracing.processor.v1.otlp', 'io.containerd.nri.v1.nri'],
  'io.containerd.podsandbox.controller.v1.podsandbox',
]

export class Containerd {
  readonly ctr: Ctr
  readonly #options: ContainerdOptions
  readonly #isOwn: boolean

  constructor(options: ContainerdOptions) {
    this.#options = options
    this.#isOwn = options.address === undefined
    this.ctr = new Ctr({
      processes: options.processes,
      address: options.address ?? join(options.stateDir, 'containerd.sock'),
      namespace: NAMESPACE,
      ...(options.programs?.ctr === undefined ? {} : { program: options.programs.ctr }),
    })
  }

  /** Resolves once containerd answers; starts our own if need be. Throws when it does not. */
  async ensure(signal: AbortSignal): Promise<void> {
    if (await this.answers(signal)) return
    if (this.#isOwn) await this.#start()
    const limit = timeLimit(this.#options.clock, START_MS_MAX, signal)
    try {
      while (!(await this.answers(limit.signal))) {
        await this.#options.clock.sleep(RETRY_MS, limit.signal)
      }
    } catch (cause) {
      signal.throwIfAborted()
      const where = this.#isOwn ? `; its log is ${this.#logPath()}` : ''
      throw new Error(`containerd does not answer at ${this.ctr.address}${where}`, { cause })
    } finally {
      limit.done()
    }
  }

  /** `containerd://1.6.20`. */
  async version(signal: AbortSignal): Promise<string> {
    return `containerd://${parseVersion(await this.ctr.run(['version'], signal))}`
  }

  /** Answers within the connection time of ctr; a wrong answer counts as none. */
  async answers(signal: AbortSignal): Promise<boolean> {
    try {
      await stat(this.ctr.address)
      const args = ['--connect-timeout', '2s', '--timeout', '5s', 'version']
      await this.ctr.run(args, signal)
      return true
    } catch {
      // No socket yet, or nobody behind it: the caller tries again, and says so when it gives up.
      signal.throwIfAborted()
      return false
    }
  }

  async #start(): Promise<void> {
    const { rootDir, stateDir, processes, programs, log } = this.#options
    await mkdir(stateDir, { recursive: true, mode: 0o711 })
    await mkdir(rootDir, { recursive: true, mode: 0o711 })
    await mkdir(dirname(this.#logPath()), { recursive: true, mode: 0o750 })
    await this.#rotateLog()
    const config = join(stateDir, 'config.toml')
    await writeFileAtomic(config, containerdConfig({ ...this.#options, socket: this.ctr.address }))
    const argv = [programs?.containerd ?? 'containerd', '--config', config]
    const pid = processes.startDetached(argv, this.#logPath())
    log.info('started containerd', { pid, address: this.ctr.address })
  }

  #logPath(): string {
    return join(this.#options.rootDir, 'containerd.log')
  }

  /** One old log is kept; the file is only moved while nobody writes to it. */
  async #rotateLog(): Promise<void> {
    const path = this.#logPath()
    const size = await stat(path).then(
      (found) => found.size,
      () => 0, // No log yet.
    )
    if (size > LOG_BYTES_MAX) await rename(path, `${path}.1`)
  }
}

/** A configuration of version 2: containerd 1.6 and 1.7 read it, 2.x migrates it. Pure. */
export function containerdConfig(options: {
  rootDir: string
  stateDir: string
  socket: string
}): string {
  const text = (value: string) => JSON.stringify(value)
  return [
    'version = 2',
    `root = ${text(options.rootDir)}`,
    `state = ${text(options.stateDir)}`,
    `disabled_plugins = [${DISABLED_PLUGINS.map(text).join(', ')}]`,
    '[grpc]',
    `  address = ${text(options.socket)}`,
    '[debug]',
    '  level = "warn"',
    '',
  ].join('\n')
}

/** The server's version out of `ctr version`, without distribution suffixes. Pure. */
export function parseVersion(output: string): string {
  const server = output.slice(Math.max(output.indexOf('Server:'), 0))
  const version = /Version:\s+v?(\S+)/.exec(server)?.[1] ?? 'unknown'
  return version.replace(/~.*$/, '')
}
