// The life of containers: made, started, watched to their end, removed.
//
//   record ─► root, FIFOs, specification ─► ctr run ─► running ─► exit event ─► record ─► tidied up
//
// An ended container leaves nothing in containerd: its record and what it wrote are ours, so that
// no shim stays behind for a pod that waits for its restart.

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerError } from '../api/pod/container-error.ts'
import { orAbort } from '../lib/abort.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import { readFileIfAny, removeIfAny } from '../lib/files.ts'
import type { PtyStart } from '../lib/linux/pty.ts'
import type { Syscalls } from '../lib/linux/syscalls.ts'
import type { Log } from '../lib/log.ts'
import type { DetachedProcesses } from '../lib/process.ts'
import type { Random } from '../lib/random.ts'
import type { CgroupHost } from './cgroups/pod-cgroup.ts'
import { readOomKills } from './cgroups/usage.ts'
import type { ContainerConfig, ImageSeen } from './contract.ts'
import type { Ctr } from './ctr.ts'
import { CtrError } from './ctr.ts'
import { type ContainerdEvent, exitedAtMs } from './events.ts'
import { holdInput, keepOutputs } from './fifos.ts'
import { ContainerLog } from './logs/container-log.ts'
import { removeLog } from './logs/log-file.ts'
import { type FifoName, Preparation, SPEC_FILE } from './preparation.ts'
import { type ContainerRecord, draftRecord, Records } from './record.ts'
import { type Rootfs, removeFolder } from './rootfs.ts'
import type { Sandboxes } from './sandbox.ts'
import type { HostFacts } from './spec/container-spec.ts'
import { releaseTerminal, runWithTerminal } from './terminal.ts'
import { RUNC_WRAPPER, runcWrapper } from './wrapper.ts'

export type ContainersOptions = {
  ctr: Ctr
  processes: DetachedProcesses
  pty: PtyStart
  syscalls: Syscalls
  clock: Clock
  random: Random
  log: Log
  host: HostFacts
  cgroups: CgroupHost
  rootfs: Rootfs
  sandboxes: Sandboxes
  chainOf: (image: ImageSeen, signal: AbortSignal) => Promise<string>
  /** Records, specifications and writable layers; survives a reboot. */
  stateDir: string
  /** FIFOs: do not. */
  runDir: string
  /** State of runc for our containers. */
  runcRoot: string
  /** /var/log/containers, or undefined for no links. */
  linksDir: string | undefined
  /** Where seccompProfile.localhostProfile is looked up. */
  seccompDir: string
  changed: (podUid: string) => void
}

/** runc's words for a container whose start failed: the exit code that container runtimes show. */
const START_ERROR_CODE = 128
/** Of one that was killed before it had started: the pod was deleted meanwhile. */
const KILLED_CODE = 137
/** Exit code of a container whose end nobody saw. */
const UNKNOWN_CODE = 255
/** How long the event of an exit may lag behind the command that caused it. */
const EVENT_MS_MAX = 10_000
/** How soon a command is repeated that did not reach containerd. */
const RETRY_MS = 500

type Live = {
  readonly log: ContainerLog
  readonly exited: PromiseWithResolvers<number>
  /** Ends the input of a container with stdinOnce. */
  closeInput: () => void
}

export class Containers {
  readonly #options: ContainersOptions
  readonly #records = new Map<string, ContainerRecord>()
  readonly #live = new Map<string, Live>()
  readonly #files: Records
  readonly #preparation: Preparation
  /** Being started: a synchronisation must not judge them. */
  readonly #starting = new Set<string>()
  /** Work after the end of a container, by its id. */
  readonly #ending = new Map<string, Promise<void>>()

  constructor(options: ContainersOptions) {
    this.#options = options
    this.#files = new Records(join(options.stateDir, 'containers'))
    this.#preparation = new Preparation({
      ...options,
      folder: (id) => this.#files.folder(id),
      fifo: (id, name) => this.fifo(id, name),
      runningPid: (podUid, name) => this.#runningPid(podUid, name),
    })
  }

  async load(): Promise<void> {
    const { records, broken } = await this.#files.load()
    for (const record of records) this.#records.set(record.id, record)
    for (const id of broken) await removeFolder(this.#files.folder(id), this.#options.syscalls)
    const wrapper = join(this.#options.stateDir, RUNC_WRAPPER)
    await writeFile(wrapper, runcWrapper(this.#fifoRoot()), { mode: 0o755 })
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id)
  }

  /** Oldest first. */
  ofPod(podUid: string): ContainerRecord[] {
    return [...this.#records.values()]
      .filter((record) => record.podUid === podUid)
      .toSorted((a, b) => a.createdAtMs - b.createdAtMs || a.attempt - b.attempt)
  }

  chainsInUse(): string[] {
    return [...this.#records.values()].map((record) => record.chainId)
  }

  podUids(): string[] {
    return [...new Set([...this.#records.values()].map((record) => record.podUid))]
  }

  /** Streams and end of a container that runs. */
  live(id: string): { log: ContainerLog; exited: Promise<number> } | undefined {
    const live = this.#live.get(id)
    return live && { log: live.log, exited: live.exited.promise }
  }

  /** With stdinOnce the input ends with its first client. */
  inputEnded(id: string): void {
    if (this.#records.get(id)?.stdinOnce) this.#live.get(id)?.closeInput()
  }

  specPath(id: string): string {
    return join(this.#files.folder(id), SPEC_FILE)
  }

  fifo(id: string, name: FifoName): string {
    return join(this.#fifoRoot(), id, name)
  }

  async start(config: ContainerConfig, signal: AbortSignal): Promise<ContainerRecord> {
    const { random, chainOf } = this.#options
    const id = Buffer.from(random.bytes(32)).toString('hex')
    this.#starting.add(id)
    try {
      const chainId = await chainOf(config.image, signal)
      const { clock, linksDir } = this.#options
      const draft = draftRecord(config, { id, chainId, linksDir, nowMs: clock.nowMs() })
      await this.#save(draft)
      let user: ContainerRecord['user']
      try {
        user = await this.#preparation.prepare(draft, config, signal)
      } catch (error) {
        this.#records.delete(id)
        await this.#preparation.discard(draft)
        signal.throwIfAborted()
        throw asContainerError(error, 'CreateContainerError')
      }
      return await this.#run({ ...draft, ...(user && { user }) }, signal)
    } finally {
      this.#starting.delete(id)
    }
  }

  /** Sends the stop signal, then kills. Resolves when the container has ended. */
  async stop(id: string, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const record = this.#records.get(id)
    const live = this.#live.get(id)
    if (record === undefined || live === undefined) return
    if (graceSeconds > 0) {
      await this.#kill(id, [record.stopSignal], signal)
      const limit = timeLimit(this.#options.clock, graceSeconds * 1000, signal)
      await orAbort(live.exited.promise, limit.signal).catch(() => signal.throwIfAborted())
      limit.done()
    }
    while (this.#live.has(id)) {
      const isSent = await this.#kill(id, ['SIGKILL', '--all'], signal)
      const limit = timeLimit(this.#options.clock, isSent ? EVENT_MS_MAX : RETRY_MS, signal)
      await orAbort(live.exited.promise, limit.signal).catch(() => signal.throwIfAborted())
      limit.done()
      if (isSent && this.#live.has(id)) await this.#collect(id, signal)
    }
  }

  /** Removes an ended container with everything it wrote. */
  async remove(id: string, withLogs: boolean, signal: AbortSignal): Promise<void> {
    const record = this.#records.get(id)
    if (record === undefined) return
    if (this.#live.has(id)) await this.stop(id, 0, signal)
    await this.#ending.get(id)
    await this.#options.rootfs.forget(id, record.chainId, signal)
    await removeFolder(this.#files.folder(id), this.#options.syscalls)
    if (record.linkPath !== undefined) await rm(record.linkPath, { force: true })
    if (withLogs) await removeLog(record.logPath)
    this.#records.delete(id)
  }

  onEvent(event: ContainerdEvent): void {
    const { container_id: id, id: processId, exit_status: code = 0 } = event.body
    const record = id === undefined ? undefined : this.#records.get(id)
    if (record === undefined) return
    switch (event.topic) {
      case '/tasks/start':
        // Asked for by an agent that was killed meanwhile; this one has given it up already.
        if (record.state === 'exited') void this.#dispose(record.id)
        return
      case '/tasks/exit':
        // Commands run by `ctr tasks exec` end with events of the same topic.
        if (processId === id) this.#ended(record, code, exitedAtMs(event))
        return
      case '/tasks/delete':
        // A start that fails is told by the command itself, with its reason.
        if (!this.#starting.has(record.id)) this.#ended(record, code, exitedAtMs(event))
    }
  }

  /** Compares our records with containerd's tasks: what happened while nobody listened. */
  async synchronise(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
    const byId = new Map(tasks.map((task) => [task.id, task]))
    for (const record of [...this.#records.values()]) {
      if (this.#starting.has(record.id) || record.state === 'exited') continue
      const task = byId.get(record.id)
      if (task?.status === 'RUNNING' || task?.status === 'PAUSED') this.#adopt(record, task.pid)
      else if (task === undefined) this.#ended(record, UNKNOWN_CODE, this.#options.clock.nowMs())
      else await this.#collect(record.id, signal)
    }
    for (const task of tasks) {
      if (this.#records.has(task.id) || task.id.startsWith('holder-')) continue
      this.#options.log.warn('removing a container that nobody knows', { id: task.id })
      await this.#options.ctr.run(['tasks', 'delete', '--force', task.id], signal)
      await this.#options.ctr.run(['containers', 'rm', task.id], signal)
    }
  }

  /** Lets go of logs; containers run on. */
  async detach(): Promise<void> {
    await Promise.all(this.#ending.values())
    const outputs = [...this.#live.keys()].flatMap((id) => [
      this.fifo(id, 'out'),
      this.fifo(id, 'err'),
    ])
    keepOutputs(this.#options.processes, outputs)
    await Promise.all([...this.#live.values()].map((live) => live.log.detach()))
    this.#live.clear()
  }

  async #run(draft: ContainerRecord, signal: AbortSignal): Promise<ContainerRecord> {
    const { ctr, clock } = this.#options
    const live = this.#follow(draft)
    await live.log.create()
    if (!draft.tty) live.log.start(true)
    const pidFile = join(this.#fifoRoot(), draft.id, 'pid')
    try {
      if (draft.tty) await this.#runWithTerminal(draft, pidFile, live)
      else await ctr.run(this.#runArgs(draft, pidFile, ['--null-io']), signal)
    } catch (error) {
      return this.#failed(draft, error, signal)
    }
    live.log.release()
    const pid = Number((await readFileIfAny(pidFile)) ?? '') || undefined
    const now = this.#records.get(draft.id)!
    // A short command may have ended before ctr came back.
    if (now.state === 'created') {
      await this.#save({ ...now, pid, state: 'running', startedAtMs: clock.nowMs() })
    }
    this.#options.changed(draft.podUid)
    return this.#records.get(draft.id)!
  }

  #runArgs(record: ContainerRecord, pidFile: string, io: readonly string[]): string[] {
    const { stateDir, runcRoot } = this.#options
    return [
      ...['run', '--detach', ...io, '--pid-file', pidFile],
      ...['--runc-binary', join(stateDir, RUNC_WRAPPER), '--runc-root', runcRoot],
      ...['--label', `kedge.dev/pod-uid=${record.podUid}`],
      ...['--label', `kedge.dev/container=${record.name}`],
      ...['--config', this.specPath(record.id), record.id],
    ]
  }

  #runningPid(podUid: string, name: string): number | undefined {
    const isIt = (one: ContainerRecord) => one.name === name && one.state === 'running'
    return this.ofPod(podUid).find(isIt)?.pid
  }

  async #runWithTerminal(record: ContainerRecord, pidFile: string, live: Live): Promise<void> {
    const folder = join(this.#fifoRoot(), record.id)
    const args = this.#runArgs(record, pidFile, ['--tty', '--fifo-dir', folder])
    const argv = this.#options.ctr.argv(args)
    const text = await runWithTerminal({ ...this.#options, folder, id: record.id }, argv)
    if (text.length > 0) await live.log.write('stdout', text)
    // A short command may have ended already, and its folder is tidied away.
    if (this.#live.has(record.id)) live.log.start(false)
  }

  /**
   * ctr has failed. What the container itself came to counts: it may have run and ended before ctr
   * could say so. One that was given up is killed; one that could not be started is shown as an end
   * with code 128, as upstream does.
   */
  async #failed(
    draft: ContainerRecord,
    error: unknown,
    signal: AbortSignal,
  ): Promise<ContainerRecord> {
    const exitedAtMs = this.#options.clock.nowMs()
    await this.#ending.get(draft.id)
    const now = this.#records.get(draft.id)
    if (now?.state === 'exited') {
      signal.throwIfAborted()
      return now
    }
    const message = `failed to create containerd task: ${error instanceof Error ? error.message : error}`
    if (signal.aborted) {
      const end = { exitCode: KILLED_CODE, startedAtMs: draft.createdAtMs, exitedAtMs }
      await this.#endUnstarted({ ...draft, ...end, state: 'exited' })
      signal.throwIfAborted()
    }
    const failure = { reason: 'StartError', message }
    const end = { exitCode: START_ERROR_CODE, startedAtMs: undefined, exitedAtMs, failure }
    await this.#endUnstarted({ ...draft, ...end, state: 'exited' })
    throw new ContainerError('RunContainerError', message, { cause: error })
  }

  /** Nothing of it may be left, however far ctr had got. */
  async #endUnstarted(record: ContainerRecord): Promise<void> {
    const { id, podUid } = record
    const { ctr, rootfs, log, changed } = this.#options
    const live = this.#live.get(id)
    try {
      await this.#save(record)
      await live?.log.finish()
      await ctr.run(['tasks', 'delete', '--force', id], NEVER).catch(ignoreMissing)
      await ctr.run(['containers', 'rm', id], NEVER).catch(ignoreMissing)
    } catch (error) {
      // The next synchronisation, or the removal of the pod, finds what is left.
      log.warn('clearing away a container that did not start failed', { id, error })
    }
    live?.closeInput()
    live?.exited.resolve(record.exitCode!)
    this.#live.delete(id)
    rootfs.unmount(this.#files.folder(id))
    await removeIfAny(join(this.#fifoRoot(), id))
    changed(podUid)
  }

  #follow(record: ContainerRecord): Live {
    const { clock, log } = this.#options
    const stdout = this.fifo(record.id, 'out')
    const fifos = record.tty ? { stdout } : { stdout, stderr: this.fifo(record.id, 'err') }
    const containerLog = new ContainerLog({ clock, log, path: record.logPath, fifos })
    const closeInput = record.stdinOnce ? holdInput(this.fifo(record.id, 'once')) : () => {}
    const live = { log: containerLog, exited: Promise.withResolvers<number>(), closeInput }
    this.#live.set(record.id, live)
    return live
  }

  #adopt(record: ContainerRecord, pid: number): void {
    if (!this.#live.has(record.id)) this.#follow(record).log.start(false)
    if (record.state === 'running') return
    const startedAtMs = record.startedAtMs ?? this.#options.clock.nowMs()
    this.#note({ ...record, pid, state: 'running', startedAtMs })
    this.#options.changed(record.podUid)
  }

  /** Deletes a task that has stopped; its exit code comes with the event that this causes. */
  async #collect(id: string, signal: AbortSignal): Promise<void> {
    const record = this.#records.get(id)
    if (record === undefined || record.state === 'exited') return
    const known = this.#live.get(id)
    const { exited, log } = known ?? this.#follow(record)
    // What it said last may have been kept for us.
    if (known === undefined) log.start(false)
    await this.#options.ctr.run(['tasks', 'delete', '--force', id], signal).catch(ignoreMissing)
    const limit = timeLimit(this.#options.clock, EVENT_MS_MAX, signal)
    await orAbort(exited.promise, limit.signal).catch(() => signal.throwIfAborted())
    limit.done()
    const now = this.#records.get(id)
    if (now && now.state !== 'exited') this.#ended(now, UNKNOWN_CODE, this.#options.clock.nowMs())
  }

  /** The end is shown once the last output is in the log: who sees it may read all of it. */
  #ended(record: ContainerRecord, exitCode: number, exitedAtMs: number): void {
    const { id } = record
    if (record.state === 'exited' || this.#ending.has(id)) return
    const work = this.#cleanUp(id, exitCode, exitedAtMs)
      .catch((error) =>
        this.#options.log.error('cleaning up after a container failed', { id, error }),
      )
      .finally(() => this.#ending.delete(id))
    this.#ending.set(id, work)
  }

  async #cleanUp(id: string, exitCode: number, exitedAtMs: number): Promise<void> {
    const { cgroups, ctr, rootfs, log, changed } = this.#options
    const { cgroupPath, podUid, tty } = this.#records.get(id)!
    // Before containerd forgets the task, and its cgroup with it.
    const oomKilled = (await readOomKills(cgroups, cgroupPath)) > 0
    const live = this.#live.get(id)
    // A full disk must not hide the end of a container.
    const onTrouble = (error: unknown) =>
      log.error('noting the end of a container failed', { id, error })
    await live?.log.finish().catch(onTrouble)
    live?.closeInput()
    const now = this.#records.get(id)!
    // ctr came back, and was noted, after a container that was quicker.
    const startedAtMs = Math.min(now.startedAtMs ?? now.createdAtMs, exitedAtMs)
    const end = { startedAtMs, exitCode, exitedAtMs, oomKilled }
    await this.#save({ ...now, ...end, state: 'exited' }).catch(onTrouble)
    this.#live.delete(id)
    live?.exited.resolve(exitCode)
    changed(podUid)
    if (tty) await releaseTerminal(this.fifo(id, 'in'))
    await ctr.run(['containers', 'rm', id], NEVER).catch(ignoreMissing)
    rootfs.unmount(this.#files.folder(id))
    await removeIfAny(join(this.#fifoRoot(), id))
  }

  async #dispose(id: string): Promise<void> {
    const { ctr, log } = this.#options
    try {
      await ctr.run(['tasks', 'delete', '--force', id], NEVER)
      await ctr.run(['containers', 'rm', id], NEVER)
    } catch (error) {
      log.warn('removing a container that was given up failed', { id, error })
    }
  }

  /** False when containerd cannot be asked. The container may end at this very moment. */
  async #kill(id: string, args: readonly string[], signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.ctr.run(['tasks', 'kill', '--signal', ...args, id], signal)
      return true
    } catch (error) {
      if (!(error instanceof CtrError)) throw error
      this.#options.log.debug('kill had no effect', { id, why: error.message })
      return !error.isUnreachable
    }
  }

  async #save(record: ContainerRecord): Promise<void> {
    this.#records.set(record.id, record)
    await this.#files.save(record)
  }

  #note(record: ContainerRecord): void {
    this.#records.set(record.id, record)
    void this.#files
      .save(record)
      .catch((error) =>
        this.#options.log.error('saving a container record failed', { id: record.id, error }),
      )
  }

  #fifoRoot(): string {
    return join(this.#options.runDir, 'io')
  }
}

/** A row of `ctr tasks ls`. */
export type Task = { id: string; pid: number; status: string }

const NEVER = new AbortController().signal

function asContainerError(error: unknown, reason: string): unknown {
  if (error instanceof ContainerError || !(error instanceof Error)) return error
  return new ContainerError(reason, error.message, { cause: error })
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof CtrError && error.isNotFound)) throw error
}
