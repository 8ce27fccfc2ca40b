// The one door to child processes. Always an argument array, never a shell.

import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'

export type RunOptions = {
  stdin?: string | Uint8Array
  env?: Record<string, string>
  cwd?: string
  /** More output than this fails the run instead of filling the memory. Default 16 MiB. */
  outputBytesMax?: number
}

export type RunResult = { exitCode: number; stdout: string; stderr: string }

/** A process that goes on while we read from it. */
export interface Spawned {
  readonly pid: number
  readonly stdout: ReadableStream<Uint8Array>
  readonly stderr: ReadableStream<Uint8Array>
  /** Writes to standard input; ignored once the process has closed it. */
  write(bytes: Uint8Array): Promise<void>
  endInput(): Promise<void>
  kill(signal?: NodeJS.Signals): void
  /** Resolves with the exit code; 128 + n after signal n. */
  readonly exited: Promise<number>
}

export interface Processes {
  /** Runs to the end. A non-zero exit is a value, not an error; a missing program is an error. */
  run(argv: readonly string[], signal: AbortSignal, options?: RunOptions): Promise<RunResult>
  spawn(argv: readonly string[], signal: AbortSignal, options?: RunOptions): Spawned
}

/** Starts what must outlive us: a session of its own, no pipes to us. */
export interface DetachedProcesses {
  /**
   * Standard output and error are appended to `outputPath`; `held` are descriptors of ours that it
   * has as 3 and on, from its first moment. Returns the process id.
   */
  startDetached(argv: readonly string[], outputPath: string, held?: readonly number[]): number
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

/** The program ended with a code other than zero where only zero will do. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly result: RunResult

  constructor(argv: readonly string[], result: RunResult) {
    const said = result.stderr.trim() || result.stdout.trim()
    super(`${argv.slice(0, 4).join(' ')}: exit code ${result.exitCode}: ${said.slice(0, 2000)}`)
    this.result = result
  }
}

/** The program was ended because it printed more than it may. */
export class TooMuchOutput extends Error {
  override readonly name = 'TooMuchOutput'

  constructor(argv: readonly string[], bytesMax: number) {
    super(`${argv.slice(0, 4).join(' ')}: printed more than ${bytesMax} bytes`)
  }
}

/** Runs to the end and returns standard output; throws `ExitError` on a non-zero exit. */
export async function runOk(
  processes: Processes,
  argv: readonly string[],
  signal: AbortSignal,
  options?: RunOptions,
): Promise<string> {
  const result = await processes.run(argv, signal, options)
  if (result.exitCode !== 0) throw new ExitError(argv, result)
  return result.stdout
}

export class SystemProcesses implements Processes, DetachedProcesses {
  async run(argv: readonly string[], signal: AbortSignal, options: RunOptions = {}) {
    signal.throwIfAborted()
    const { outputBytesMax = OUTPUT_BYTES_MAX } = options
    const child = Bun.spawn([...argv], {
      stdin: options.stdin === undefined ? 'ignore' : toBytes(options.stdin),
      stdout: 'pipe',
      stderr: 'pipe',
      maxBuffer: outputBytesMax,
      ...environment(options),
    })
    const onAbort = () => child.kill('SIGKILL')
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
      const exitCode = exitCodeOf(await child.exited, child.signalCode)
      signal.throwIfAborted()
      const isTooMuch = [stdout, stderr].some((text) => Buffer.byteLength(text) > outputBytesMax)
      if (isTooMuch) throw new TooMuchOutput(argv, outputBytesMax)
      return { exitCode, stdout, stderr }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  spawn(argv: readonly string[], signal: AbortSignal, options: RunOptions = {}): Spawned {
    signal.throwIfAborted()
    const child = Bun.spawn([...argv], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      ...environment(options),
    })
    const onAbort = () => child.kill('SIGKILL')
    signal.addEventListener('abort', onAbort, { once: true })
    const exited = child.exited.then((code) => {
      signal.removeEventListener('abort', onAbort)
      return exitCodeOf(code, child.signalCode)
    })
    return {
      pid: child.pid,
      stdout: child.stdout,
      stderr: child.stderr,
      exited,
      async write(bytes) {
        child.stdin.write(bytes)
        await child.stdin.flush()
      },
      async endInput() {
        await child.stdin.end()
      },
      kill: (name = 'SIGTERM') => child.kill(name),
    }
  }

  startDetached(argv: readonly string[], outputPath: string, held: readonly number[] = []): number {
    const output = openSync(outputPath, 'a', 0o640)
    try {
      const child = Bun.spawn([...argv], {
        detached: true,
        stdio: ['ignore', output, output, ...held],
      })
      child.unref()
      return child.pid
    } finally {
      closeSync(output)
    }
  }
}

function environment(options: RunOptions) {
  return {
    ...(options.env ? { env: options.env } : {}),
    ...(options.cwd ? { cwd: options.cwd } : {}),
  }
}

function toBytes(input: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof input === 'string' ? new TextEncoder().encode(input) : new Uint8Array(input)
}

/** A shell's convention: 128 + n for a process that signal n ended. */
function exitCodeOf(code: number, by: NodeJS.Signals | number | null): number {
  if (by === null) return code
  return 128 + (typeof by === 'number' ? by : constants.signals[by])
}
