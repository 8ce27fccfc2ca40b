// Runs a command in a container to its end, for probes and hooks.

import type { Runtime } from '../runtime/contract.ts'

export type ExecResult = { readonly exitCode: number; readonly output: string }

/** More than this of what a command prints is thrown away. */
const OUTPUT_BYTES_MAX = 10 * 1024

/** `output` is what came on both streams. Rejects when the command cannot be run. */
export async function runInContainer(
  runtime: Runtime,
  containerId: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const options = { command, tty: false, stdin: false }
  const session = await runtime.exec(containerId, options, signal)
  const onAbort = () => session.close()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const gather = new Gather()
    const [exitCode] = await Promise.all([
      session.exitCode,
      gather.read(session.stdout),
      gather.read(session.stderr),
    ])
    signal.throwIfAborted()
    return { exitCode, output: gather.text() }
  } finally {
    signal.removeEventListener('abort', onAbort)
    session.close()
  }
}

class Gather {
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      if (this.#bytes < OUTPUT_BYTES_MAX) this.#chunks.push(chunk)
      this.#bytes += chunk.length
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(0, OUTPUT_BYTES_MAX).toString()
  }
}
