// A connection as bytes both ways, whatever carries it: a socket, a tunnel stream, a test.

export interface ByteStream {
  /** What the other side sends; ends when it has finished sending. */
  readonly readable: ReadableStream<Uint8Array>
  /** Resolves when there is room for more: callers that wait cannot fill the memory. */
  write(bytes: Uint8Array): Promise<void>
  /** Nothing more will be written; reading goes on. */
  end(): Promise<void>
  /** Drops the connection both ways at once. */
  abort(reason: unknown): void
}
