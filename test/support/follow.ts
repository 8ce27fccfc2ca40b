// A program whose output is read while it runs: `logs -f`, `get -w`, `port-forward`, a terminal.

import { until } from './machines.ts'

export type Size = { cols: number; rows: number }

/** `await using watch = follow(argv)`; it is ended with the block. */
export function follow(argv: string[], options: { terminal?: Size } = {}) {
  let text = ''
  const decoder = new TextDecoder()
  const take = (bytes: Uint8Array) => {
    text += decoder.decode(bytes, { stream: true })
  }
  const child = start(argv, options.terminal, take)
  return {
    /** All that it has written. */
    get text() {
      return text
    },
    terminal: child.terminal,
    exited: child.exited,
    /** Waits until it has written this. */
    async until(what: string | RegExp): Promise<string> {
      const isThere = () => (typeof what === 'string' ? text.includes(what) : what.test(text))
      await until(`${what} from ${argv.join(' ')}`, async () => isThere(), 30_000).catch(
        (error) => {
          throw new Error(`${error.message}; it wrote ${JSON.stringify(text.slice(-2000))}`)
        },
      )
      return text
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}

function start(argv: string[], terminal: Size | undefined, take: (bytes: Uint8Array) => void) {
  if (terminal !== undefined) {
    return Bun.spawn(argv, { terminal: { ...terminal, data: (_terminal, bytes) => take(bytes) } })
  }
  const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) take(bytes)
  }
  void read(child.stdout)
  void read(child.stderr)
  return child
}
