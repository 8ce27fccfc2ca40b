// Programs that want a terminal. The only file that uses Bun's: node-pty was tried and rejected.

import { constants } from 'node:os'
import type { Clock } from '../clock.ts'

/** A program that runs in a terminal of its own. */
export interface PtyProcess {
  readonly pid: number
  write(bytes: Uint8Array): void
  resize(columns: number, rows: number): void
  kill(signal: NodeJS.Signals): void
  /** Resolves after the last output; 128 + n after signal n. */
  readonly exited: Promise<number>
}

export type PtyStart = (
  argv: readonly string[],
  onOutput: (bytes: Uint8Array) => void,
) => PtyProcess

const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24
/** After the end of the program, output counts as complete once none has come for this long. */
const QUIET_MS = 10
/** A process left in the background may go on writing; the session ends all the same. */
const QUIET_ROUNDS_MAX = 100

/** Starts programs in terminals of the kernel's. */
export function systemPty(clock: Clock): PtyStart {
  return (argv, onOutput) => {
    let chunkCount = 0
    const terminal = new Bun.Terminal({
      cols: COLUMNS_DEFAULT,
      rows: ROWS_DEFAULT,
      data: (_, bytes) => {
        chunkCount++
        // The buffer is reused by the next read, and ours are kept.
        onOutput(new Uint8Array(bytes))
      },
    })
    const child = Bun.spawn([...argv], { terminal })
    const drain = async () => {
      for (let round = 0, before = -1; round < QUIET_ROUNDS_MAX && before < chunkCount; round++) {
        before = chunkCount
        await clock.sleep(QUIET_MS, NEVER)
      }
      terminal.close()
    }
    const exited = child.exited.then(async (code) => {
      await drain()
      const by = child.signalCode
      return by === null ? code : 128 + constants.signals[by as NodeJS.Signals]
    })
    return {
      pid: child.pid,
      exited,
      write: (bytes) => void terminal.write(bytes),
      resize: (columns, rows) => {
        terminal.resize(columns, rows)
        // The kernel tells only those whose controlling terminal it is, and Bun makes it nobody's.
        child.kill('SIGWINCH')
      },
      kill: (signal) => child.kill(signal),
    }
  }
}

const NEVER = new AbortController().signal
