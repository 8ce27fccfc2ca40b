// containerd through its command line: versions 1.6 to 2.x. Nothing here knows about pods.

import type { Processes, RunOptions, Spawned } from '../lib/process.ts'
import { ExitError, runOk } from '../lib/process.ts'

export type CtrOptions = {
  processes: Processes
  /** Socket of containerd. */
  address: string
  /** containerd's own namespaces keep its users apart; ours is `kedge`. */
  namespace: string
  /** The `ctr` program; looked up in PATH when it is no path. */
  program?: string
}

export class Ctr {
  readonly address: string
  readonly namespace: string
  readonly #processes: Processes
  readonly #program: string

  constructor(options: CtrOptions) {
    this.address = options.address
    this.namespace = options.namespace
    this.#processes = options.processes
    this.#program = options.program ?? 'ctr'
  }

  argv(args: readonly string[]): string[] {
    return [this.#program, '--address', this.address, '--namespace', this.namespace, ...args]
  }

  /** Runs to the end and returns standard output. Throws `CtrError`. */
  async run(
    args: readonly string[],
    signal: AbortSignal,
    options?: Pick<RunOptions, 'outputBytesMax'>,
  ): Promise<string> {
    try {
      return await runOk(this.#processes, this.argv(args), signal, options)
    } catch (error) {
      if (error instanceof ExitError) throw new CtrError(args, error)
      throw error
    }
  }

  spawn(args: readonly string[], signal: AbortSignal): Spawned {
    return this.#processes.spawn(this.argv(args), signal)
  }
}

/** What containerd or runc said, without ctr's own prefix. */
export class CtrError extends Error {
  override readonly name = 'CtrError'
  readonly isNotFound: boolean
  readonly alreadyExists: boolean
  readonly isUnreachable: boolean

  constructor(args: readonly string[], cause: ExitError) {
    const said = plainMessage(cause.result.stderr) || `ctr ${args.slice(0, 2).join(' ')} failed`
    super(said, { cause })
    this.isNotFound = /not found|does not exist|no such/.test(said)
    this.alreadyExists = said.includes('already exists')
    this.isUnreachable = /failed to dial|connection refused|connect: no such file/.test(said)
  }
}

/** The last line that is not a log line, without `ctr: `. Pure. */
export function plainMessage(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '')
  const said = lines.filter((line) => !/^time="[^"]*" level=/.test(line))
  return (said.at(-1) ?? '').replace(/^ctr: /, '')
}

/**
 * Rows of a table as ctr prints it: columns start where their titles do. Values may hold single
 * spaces; the last column takes the rest. Pure.
 */
export function parseTable(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.split('\n')
  const titles = [...head.matchAll(/\S+/g)].map((match) => ({ name: match[0], at: match.index }))
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) =>
      Object.fromEntries(
        titles.map(({ name, at }, i) => [name, line.slice(at, titles[i + 1]?.at).trim()]),
      ),
    )
}
