// The client's side of a command: what exec and attach need of a protocol, and how they end.

export type CommandOptions = {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

export interface CommandClient {
  /** Undefined when the client sends none. */
  readonly stdin: ReadableStream<Uint8Array> | undefined
  writeStdout(bytes: Uint8Array): Promise<void>
  writeStderr(bytes: Uint8Array): Promise<void>
  onResize(resize: Resize): void
  /** Reports the end and closes. */
  finish(end: CommandEnd): Promise<void>
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal
}

export type Resize = (columns: number, rows: number) => void

export type CommandEnd =
  | { readonly is: 'success' }
  | { readonly is: 'exit'; readonly code: number }
  | { readonly is: 'failure'; readonly message: string }

/** A v1 Status, as far as clients read it. */
export function statusText(end: CommandEnd): string {
  return JSON.stringify({ metadata: {}, ...statusOf(end) })
}

function statusOf(end: CommandEnd) {
  switch (end.is) {
    case 'success':
      return { status: 'Success' }
    case 'exit': {
      const details = { causes: [{ reason: 'ExitCode', message: String(end.code) }] }
      const message = plainText(end)
      return { status: 'Failure', message, reason: 'NonZeroExitCode', details }
    }
    case 'failure': {
      const details = { causes: [{ message: end.message }] }
      const message = plainText(end)
      return { status: 'Failure', message, reason: 'InternalError', details, code: 500 }
    }
  }
}

/** For protocols older than v4, which have no Status. Empty on success. */
export function plainText(end: CommandEnd): string {
  switch (end.is) {
    case 'success':
      return ''
    case 'exit':
      return `command terminated with non-zero exit code: exit status ${end.code}`
    case 'failure':
      return `Internal error occurred: ${end.message}`
  }
}

/** `{"Width":80,"Height":24}`; undefined for anything else. */
export function parseResize(text: string): { columns: number; rows: number } | undefined {
  try {
    const { Width: columns, Height: rows } = JSON.parse(text)
    const isSize = (n: unknown) => Number.isInteger(n) && Number(n) > 0 && Number(n) < 65_536
    return isSize(columns) && isSize(rows) ? { columns, rows } : undefined
  } catch {
    // A client that sends nonsense keeps the size it had.
    return undefined
  }
}
