// Splits a stream of bytes at its line ends, as chunked watches are framed.

/** One event may be an object of at most 3 MiB; more without a line end is not a watch. */
const LINE_BYTES_MAX = 16 * 1024 * 1024

/** Each line without its end. Cancels the stream when the reader stops or `signal` aborts. */
export async function* linesOf(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal,
): AsyncGenerator<string> {
  if (body === null) return
  const reader = body.getReader()
  // Waiting for bytes must end with the signal even if the other side never notices it.
  const onAbort = () => void reader.cancel(signal.reason).catch(ignoreBrokenStream)
  signal.addEventListener('abort', onAbort, { once: true })
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) break
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > LINE_BYTES_MAX) throw new Error('read watch: event is too long')
      for (const line of lines) if (line !== '') yield line
    }
    if (rest !== '') yield rest
  } finally {
    signal.removeEventListener('abort', onAbort)
    void reader.cancel().catch(ignoreBrokenStream)
  }
}

/** A stream that is already broken cannot be cancelled, and need not be. */
function ignoreBrokenStream() {}
