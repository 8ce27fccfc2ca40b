// Holds the ends of FIFOs that nobody else holds for now.

import { closeSync, constants, existsSync, openSync } from 'node:fs'
import type { DetachedProcesses } from '../lib/process.ts'

/** How long outputs are kept for the next agent. */
const KEEP_SECONDS = 60
/** Outputs that one process can hold: a shell has one digit for descriptors; 0 to 2 are taken. */
const HELD_MAX = 7

/**
 * What a container leaves unread when it ends is lost unless somebody has its output open. So that
 * nothing is lost while the agent is replaced, sleeping processes hold the outputs for a while.
 */
export function keepOutputs(processes: DetachedProcesses, fifos: readonly string[]): void {
  const present = fifos.filter((path) => existsSync(path))
  for (let i = 0; i < present.length; i += HELD_MAX) {
    const held = present.slice(i, i + HELD_MAX)
    const redirections = held.map((_, at) => `${at + 3}<"$${at + 1}"`).join(' ')
    const script = `exec sleep ${KEEP_SECONDS} ${redirections}`
    const shell = ['sh', '-c', script, 'kedge-keeps-output', ...held]
    processes.startDetached(['timeout', String(KEEP_SECONDS), ...shell], '/dev/null')
  }
}

/** Keeps an input open until its first client has left; with a terminal there is none to keep. */
export function holdInput(fifo: string): () => void {
  if (!existsSync(fifo)) return () => {}
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  let isOpen = true
  return () => {
    if (isOpen) closeSync(fd)
    isOpen = false
  }
}
