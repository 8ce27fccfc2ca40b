// Containers with a terminal of their own. Here the shim copies, between the terminal and two
// FIFOs.
//
// The shim gives up the terminal when nobody holds its input open any more, and that must not be
// us: a pod outlives the agent. So a process that does nothing but sleep holds it, found again by
// the FIFO that it has open.

import { readdirSync, watch } from 'node:fs'
import { readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { PtyStart } from '../lib/linux/pty.ts'
import { SyscallError, type Syscalls } from '../lib/linux/syscalls.ts'
import type { DetachedProcesses } from '../lib/process.ts'
import { plainMessage } from './ctr.ts'
import { keepInput } from './fifos.ts'

export type TerminalOptions = {
  processes: DetachedProcesses
  pty: PtyStart
  syscalls: Syscalls
  /** Folder of this container's FIFOs: links `in` and `out` are made there. */
  folder: string
  id: string
}

const EEXIST = 17

/**
 * Runs `argv` (a detached ctr run) in a terminal, as ctr wants when the container has one. Returns
 * what the container printed until ctr left. Throws with ctr's words when it fails.
 */
export async function runWithTerminal(
  options: TerminalOptions,
  argv: readonly string[],
): Promise<Uint8Array> {
  const { folder, id, syscalls, processes, pty } = options
  let isHeld = false
  // ctr puts the FIFOs into a folder named by chance; as soon as it is there, the input is held.
  const hold = () => {
    const name = isHeld ? undefined : folderIn(folder)
    if (name === undefined) return
    isHeld = true
    const fifo = join(folder, name, `${id}-stdin`)
    makeFifo(syscalls, fifo)
    keepInput(processes, fifo)
  }
  const watcher = watch(folder, hold)
  const output: Uint8Array[] = []
  const quiet = ['env', 'CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1', ...argv]
  const code = await pty(quiet, (bytes) => output.push(bytes)).exited.finally(() => watcher.close())
  const text = Buffer.concat(output)
  if (code !== 0) throw new Error(plainMessage(text.toString().replaceAll('\r', '')))
  hold()
  const name = folderIn(folder)
  if (name !== undefined) {
    await symlink(join(folder, name, `${id}-stdin`), join(folder, 'in'))
    await symlink(join(folder, name, `${id}-stdout`), join(folder, 'out'))
  }
  // The terminal of ctr itself puts a carriage return before every end of a line.
  return Buffer.from(text.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

/** Ends the process that holds the input of a container. */
export async function releaseTerminal(inputLink: string): Promise<void> {
  const fifo = await readlink(inputLink).catch(() => undefined) // Not a container with a terminal.
  if (fifo === undefined) return
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    // Whatever cannot be looked at is gone, or is not ours.
    const held = await readlink(`/proc/${pid}/fd/3`).catch(() => undefined)
    if (held === fifo && Number(pid) !== process.pid) process.kill(Number(pid), 'SIGKILL')
  }
}

function folderIn(folder: string): string | undefined {
  return readdirSync(folder, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name
}

function makeFifo(syscalls: Syscalls, path: string): void {
  try {
    syscalls.makeFifo(path, 0o700)
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === EEXIST)) throw error
  }
}
