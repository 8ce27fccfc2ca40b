// Takes what a container writes from its FIFOs to its log file, and to those who are attached.
//
//   container ─► FIFO (64 KiB, in the kernel) ─► here, one chunk at a time ─► log file
//                                                                        └─► attached clients
//
// The FIFO lives as long as the container has it open, also while the agent is down; what was not
// read stays in it. Nothing is read ahead of the disk: a container that writes faster than the disk
// waits. If the disk takes nothing at all for a while, output is dropped and counted instead, so
// that a full disk does not stop the service.

import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { type Clock, timeLimit } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { CriEncoder, type StreamName, Timestamps } from './cri-format.ts'
import { DEFAULT_ROTATION, LogFile, type Rotation } from './log-file.ts'

export type ContainerLogOptions = {
  clock: Clock
  log: Log
  path: string
  fifos: Readonly<Partial<Record<StreamName, string>>>
  rotation?: Rotation
}

/** Gets copies of what a container writes; resolves when it can take more. */
export type Listener = (stream: StreamName, bytes: Uint8Array) => Promise<void>

/** A line that is not finished is written as a part after this time. */
const UNFINISHED_MS = 1000
const DISK_RETRY_MS = 1000
const DISK_RETRIES_MAX = 10
/** A listener that takes nothing for this long is cut off. */
const LISTENER_MS_MAX = 10_000
/** After the end of the container: processes that still hold its output are not waited for. */
const FINISH_MS_MAX = 2000

export class ContainerLog {
  readonly #options: ContainerLogOptions
  readonly #file: LogFile
  readonly #times = new Timestamps()
  readonly #stop = new AbortController()
  readonly #listeners = new Set<Listener>()
  #readers: Promise<void> = Promise.resolve()
  #keptOpen: number[] = []
  #lostBytes = 0

  constructor(options: ContainerLogOptions) {
    this.#options = options
    const rotation = options.rotation ?? DEFAULT_ROTATION
    this.#file = new LogFile(options.path, options.clock, rotation)
  }

  /** To be called before a container runs: one that has not said anything yet has a log as well. */
  async create(): Promise<void> {
    const { log, path } = this.#options
    // It is tried again with the first line, and no reason not to start a container.
    await this.#file.create().catch((error) => log.warn('creating a log failed', { path, error }))
  }

  /**
   * Starts reading. With `isNew` the FIFOs are also held open for writing until `release`, because
   * the container has not opened them yet and they would look finished.
   */
  start(isNew: boolean): void {
    const { fifos } = this.#options
    const readers = (['stdout', 'stderr'] as const).flatMap((stream) => {
      const path = fifos[stream]
      // After a reboot there is a record of the container, but no FIFO.
      if (path === undefined || !existsSync(path)) return []
      const flags = constants.O_NONBLOCK
      if (isNew) this.#keptOpen.push(openSync(path, constants.O_RDWR | flags))
      return [this.#read(stream, openSync(path, constants.O_RDONLY | flags))]
    })
    this.#readers = Promise.all(readers).then(() => {})
    this.#readers.catch((error) =>
      this.#options.log.error('a container log stopped', { path: this.#options.path, error }),
    )
  }

  /** The container has opened its ends: from now on its end is ours. */
  release(): void {
    for (const fd of this.#keptOpen.splice(0)) closeSync(fd)
  }

  /** Adds bytes that did not come through the FIFO. */
  async write(stream: StreamName, bytes: Uint8Array): Promise<void> {
    const encoder = new CriEncoder(stream, this.#times)
    const { clock } = this.#options
    await this.#append(encoder.push(bytes, clock.nowMs()))
    await this.#append(encoder.flush(clock.nowMs()))
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The container has ended: takes what is left, then closes. */
  async finish(): Promise<void> {
    this.release()
    const limit = timeLimit(this.#options.clock, FINISH_MS_MAX, this.#stop.signal)
    limit.signal.addEventListener('abort', () => this.#stop.abort(), { once: true })
    await this.#readers.catch(() => {}) // Reported by `start`.
    limit.done()
    await this.#file.close()
  }

  /** We go, the container stays: what is unread stays in the FIFO for the next agent. */
  async detach(): Promise<void> {
    this.#stop.abort()
    await this.#readers.catch(() => {}) // Reported by `start`.
    this.release()
    await this.#file.close()
  }

  async #read(stream: StreamName, fd: number): Promise<void> {
    const { clock } = this.#options
    const encoder = new CriEncoder(stream, this.#times)
    const reader = Bun.file(fd).stream().getReader()
    const onStop = () => void reader.cancel().catch(() => {}) // The descriptor is closed below.
    this.#stop.signal.addEventListener('abort', onStop, { once: true })
    let cancelFlush = () => {}
    try {
      for (;;) {
        const { value, done } = await reader.read()
        cancelFlush()
        if (done) break
        await Promise.all([
          this.#append(encoder.push(value, clock.nowMs())),
          this.#tell(stream, value),
        ])
        if (encoder.hasRest) cancelFlush = this.#flushLater(encoder)
      }
      await this.#append(encoder.flush(clock.nowMs()))
    } finally {
      cancelFlush()
      this.#stop.signal.removeEventListener('abort', onStop)
      closeSync(fd)
    }
  }

  #flushLater(encoder: CriEncoder): () => void {
    const { clock } = this.#options
    return clock.after(UNFINISHED_MS, () => void this.#append(encoder.flush(clock.nowMs())))
  }

  /** Never throws: a log that cannot be written must not stop the container. */
  async #append(records: Uint8Array): Promise<void> {
    if (records.length === 0) return
    for (let attempt = 0; attempt <= DISK_RETRIES_MAX; attempt++) {
      try {
        await this.#noteLoss()
        await this.#file.append(records)
        return
      } catch (error) {
        if (attempt === 0) {
          this.#options.log.warn('writing a container log failed', {
            path: this.#options.path,
            error,
          })
        }
        // Once output is being dropped, each further chunk gets one try and no waiting.
        if (this.#lostBytes > 0 || this.#stop.signal.aborted) break
        // Being stopped ends the wait, not the attempt.
        await this.#options.clock.sleep(DISK_RETRY_MS, this.#stop.signal).catch(() => {})
      }
    }
    if (this.#lostBytes === 0) {
      this.#options.log.error('dropping the output of a container', { path: this.#options.path })
    }
    this.#lostBytes += records.length
  }

  async #noteLoss(): Promise<void> {
    if (this.#lostBytes === 0) return
    const text = `kedge: ${this.#lostBytes} bytes of log were lost: the disk took no more`
    const head = `${this.#times.next(this.#options.clock.nowMs())} stderr F `
    await this.#file.append(Buffer.from(`${head}${text}\n`))
    this.#lostBytes = 0
  }

  async #tell(stream: StreamName, bytes: Uint8Array): Promise<void> {
    if (this.#listeners.size === 0) return
    const { clock } = this.#options
    await Promise.all(
      [...this.#listeners].map(async (listener) => {
        const limit = timeLimit(clock, LISTENER_MS_MAX, this.#stop.signal)
        const late = new Promise<'late'>((resolve) => {
          limit.signal.addEventListener('abort', () => resolve('late'), { once: true })
        })
        const told = listener(stream, bytes).catch(() => 'late' as const) // It is gone.
        if ((await Promise.race([told, late])) === 'late') this.#listeners.delete(listener)
        limit.done()
      }),
    )
  }
}
