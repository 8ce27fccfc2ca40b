// Runs a command in a container to its end, for probes and hooks.

import { orAbort } from '../lib/abort.ts'
import type { Clock } from '../lib/clock.ts'
import type { Runtime } from '../runtime/contract.ts'

export type ExecResult = { readonly exitCode: number; readonly output: string }

export type ExecWish = {
  readonly containerId: string
  readonly command: readonly string[]
  /** Of what the command leaves running: a probe's is ended, a hook's only if it holds output. */
  readonly rest: 'release' | 'kill'
}

/** More than this of what a command prints is thrown away. */
const OUTPUT_BYTES_MAX = 10 * 1024
/** Whoever still holds the output of a command that has ended is not waited for any longer. */
const DRAIN_MS = 1_000

/**
 * `output` is what came on both streams. Rejects when the command cannot be run, and at once when
 * `signal` aborts; whatever the command has started then is ended too.
 */
export async function runInContainer(
  { runtime, clock }: { readonly runtime: Runtime; readonly clock: Clock },
  { containerId, command, rest }: ExecWish,
  signal: AbortSignal,
): Promise<ExecResult> {
  const options = { command, tty: false, stdin: false, rest }
  const session = await runtime.exec(containerId, options, signal)
  const gather = new Gather([session.stdout, session.stderr])
  try {
    const exitCode = await orAbort(session.exitCode, signal)
    const drained = new AbortController()
    const limit = clock.sleep(DRAIN_MS, drained.signal).catch(() => {}) // All of it has come.
    await orAbort(Promise.race([gather.done, limit]), signal)
    drained.abort()
    return { exitCode, output: gather.text() }
  } finally {
    gather.stop()
    session.close()
  }
}

class Gather {
  /** Resolves at the end of all streams. Never rejects: what has come is what there is. */
  readonly done: Promise<unknown>
  readonly #stop = new AbortController()
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(streams: readonly ReadableStream<Uint8Array>[]) {
    this.done = Promise.allSettled(streams.map((stream) => this.#read(stream)))
  }

  stop(): void {
    this.#stop.abort()
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(0, OUTPUT_BYTES_MAX).toString()
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const reader = stream.getReader()
    // A stream that broke by itself needs no stopping.
    this.#stop.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}))
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      if (this.#bytes < OUTPUT_BYTES_MAX) this.#chunks.push(value)
      this.#bytes += value.length
    }
  }
}
