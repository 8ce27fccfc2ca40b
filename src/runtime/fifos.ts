// Holds the ends of FIFOs that nobody else holds for now.

import { closeSync, constants, existsSync, openSync } from 'node:fs'
import type { DetachedProcesses } from '../lib/process.ts'

/** How long outputs are kept for the next agent. */
const KEEP_SECONDS = 60
/** For as long as the container lasts; whoever removes it ends the process. */
const FOREVER_SECONDS = 2 ** 31 - 1
/** That one process has open: far from what a process may. */
const HELD_MAX = 256

/**
 * What a container leaves unread when it ends is lost unless somebody has its output open. So that
 * nothing is lost while the agent is replaced, sleeping processes hold the outputs for a while.
 */
export function keepOutputs(processes: DetachedProcesses, fifos: readonly string[]): void {
  const present = fifos.filter((path) => existsSync(path))
  for (let i = 0; i < present.length; i += HELD_MAX) {
    const held = present.slice(i, i + HELD_MAX)
    holdOutside(processes, held, { flags: constants.O_RDONLY, seconds: KEEP_SECONDS })
  }
}

/** A sleeping process holds both ends of `fifo` from now on, as its descriptor 3. */
export function keepInput(processes: DetachedProcesses, fifo: string): void {
  holdOutside(processes, [fifo], { flags: constants.O_RDWR, seconds: FOREVER_SECONDS })
}

/**
 * The process is born with them open. If it opened them itself, nobody would hold them between our
 * leaving and that moment.
 */
function holdOutside(
  processes: DetachedProcesses,
  fifos: readonly string[],
  { flags, seconds }: { flags: number; seconds: number },
): void {
  const held: number[] = []
  try {
    // Without waiting for a writer: there may be none any more.
    for (const path of fifos) held.push(openSync(path, flags | constants.O_NONBLOCK))
    processes.startDetached(['sleep', String(seconds)], '/dev/null', held)
  } finally {
    for (const fd of held) closeSync(fd)
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
