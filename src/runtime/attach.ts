// Joins the streams of a container's first process: output is copied from its log reader, input
// goes into its FIFO, the size of its terminal is set on the terminal itself.

import { closeSync, constants, openSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Processes } from '../lib/process.ts'
import type { AttachOptions, ExecSession } from './contract.ts'
import { emptyStream, OutputQueue } from './exec.ts'
import type { ContainerLog } from './logs/container-log.ts'

export type AttachTarget = {
  readonly log: ContainerLog
  readonly stdinFifo: string | undefined
  readonly pid: number | undefined
  readonly exitCode: Promise<number>
  /** Called when the client has closed its input of a container with stdinOnce. */
  readonly inputEnded: () => void
}

export function attachTo(
  target: AttachTarget,
  options: AttachOptions,
  processes: Processes,
  signal: AbortSignal,
): ExecSession {
  const stdout = new OutputQueue()
  const stderr = new OutputQueue()
  const unlisten = target.log.listen((stream, bytes) =>
    (stream === 'stdout' ? stdout : stderr).pushAndWait(bytes),
  )
  const input = options.stdin && target.stdinFifo ? openInput(target.stdinFifo) : undefined
  const close = () => {
    unlisten()
    input?.close()
    for (const queue of [stdout, stderr]) queue.end()
  }
  signal.addEventListener('abort', close, { once: true })
  const { pid } = target
  const setSize = newestOnly(async ({ columns, rows }: Size) => {
    if (pid !== undefined) await resizeTerminal(processes, pid, { columns, rows }, signal)
  })
  return {
    stdout: stdout.readable,
    stderr: options.tty ? emptyStream() : stderr.readable,
    write: async (bytes) => input?.write(bytes),
    endInput: async () => {
      input?.close()
      target.inputEnded()
    },
    resize: (columns, rows) => setSize({ columns, rows }),
    exitCode: target.exitCode.finally(() => {
      signal.removeEventListener('abort', close)
      close()
    }),
    close,
  }
}

/** Opening for both ends never waits and never fails for want of a reader. */
function openInput(fifo: string) {
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  const writer = Bun.file(fd).writer()
  let isOpen = true
  return {
    async write(bytes: Uint8Array): Promise<void> {
      if (!isOpen) return
      writer.write(bytes)
      await writer.flush()
    },
    close(): void {
      if (!isOpen) return
      isOpen = false
      closeSync(fd)
      // The writer has a descriptor of its own. What it still holds nobody is there to read.
      void Promise.resolve(writer.end()).catch(() => {})
    },
  }
}

type Size = { columns: number; rows: number }

/** One call at a time, and then the last of those that came in between: sizes must not overtake. */
function newestOnly<T>(set: (value: T) => Promise<void>): (value: T) => void {
  let isSetting = false
  let next: { value: T } | undefined
  const run = async () => {
    for (isSetting = true; next !== undefined; ) {
      const { value } = next
      next = undefined
      await set(value).catch(() => {}) // The container has just ended.
    }
    isSetting = false
  }
  return (value) => {
    next = { value }
    if (!isSetting) void run()
  }
}

/** The terminal is reached through the process's own view of /dev/pts. */
async function resizeTerminal(
  processes: Processes,
  pid: number,
  { columns, rows }: Size,
  signal: AbortSignal,
): Promise<void> {
  const terminal = await findTerminal(pid)
  if (terminal === undefined) return
  const size = ['rows', String(rows), 'cols', String(columns)]
  await processes.run(['stty', '-F', terminal, ...size], signal)
}

async function findTerminal(pid: number): Promise<string | undefined> {
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(join(`/proc/${pid}/fd`, fd))
    if (/^\/dev\/pts\/\d+$|^\/dev\/console$/.test(target)) return `/proc/${pid}/fd/${fd}`
  }
  return undefined
}
