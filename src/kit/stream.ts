// A WebSocket as a sequence of texts.

import type { Clock } from '../lib/clock.ts'

export type StreamOptions = {
  url: string
  tls: { ca: string; cert?: string; key?: string }
  headers: Record<string, string>
  clock: Clock
}

/** The other side answered the handshake with something else, or nobody answered. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

/**
 * A peer that vanished with its network closes nothing. A ping that nothing follows for as long
 * again tells: news is at most one such time late.
 */
const PING_MS = 30_000
/** An answer to the handshake that takes longer never comes. */
const OPEN_MS_MAX = 30_000

/**
 * The texts that come, until the other side closes. Throws RefusedError when it never opened, and
 * an error when the connection broke.
 */
export async function* messagesOf(
  options: StreamOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  signal.throwIfAborted()
  const inbox = new Inbox()
  const socket = new WebSocket(options.url, { headers: options.headers, tls: options.tls })
  const stopWatching = listen(socket, inbox, options.clock)
  const onAbort = () => {
    inbox.finish(signal.reason)
    socket.close()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      const text = await inbox.next()
      if (text === undefined) return
      yield text
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    stopWatching()
    socket.close()
  }
}

/** Feeds `inbox` from `socket`, and ends it when the peer falls silent. Returns the way to stop. */
function listen(socket: WebSocket, inbox: Inbox, clock: Clock): () => void {
  let isOpen = false
  let isAlive = true
  let cancel = clock.after(OPEN_MS_MAX, () => {
    inbox.finish(new RefusedError('open stream: no answer'))
    socket.terminate()
  })
  const check = () => {
    if (!isAlive) {
      inbox.finish(new Error('read stream: the other side fell silent'))
      socket.terminate()
      return
    }
    isAlive = false
    socket.ping()
    cancel = clock.after(PING_MS, check)
  }
  socket.addEventListener('open', () => {
    isOpen = true
    cancel()
    cancel = clock.after(PING_MS, check)
  })
  socket.addEventListener('message', ({ data }) => {
    isAlive = true
    inbox.put(typeof data === 'string' ? data : new TextDecoder().decode(data))
  })
  // Bun tells of pongs as events of the socket; the types of the web know none.
  socket.addEventListener('pong' as 'message', () => {
    isAlive = true
  })
  socket.addEventListener('close', ({ code, reason }) => {
    if (!isOpen) inbox.finish(new RefusedError(`open stream: ${reason || `code ${code}`}`))
    else if (code === 1000 || code === 1001) inbox.finish(undefined)
    else inbox.finish(new Error(`read stream: closed with ${code} ${reason}`))
  })
  return () => cancel()
}

/** Texts in order, then the end; the reader waits while it is empty. */
class Inbox {
  readonly #texts: string[] = []
  #end: { error: unknown } | undefined
  #wake: () => void = () => {}

  put(text: string): void {
    this.#texts.push(text)
    this.#wake()
  }

  /** What was put before is still read; `undefined` ends without an error. */
  finish(error: unknown): void {
    this.#end ??= { error }
    this.#wake()
  }

  async next(): Promise<string | undefined> {
    while (this.#texts.length === 0 && this.#end === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    const text = this.#texts.shift()
    if (text !== undefined) return text
    if (this.#end?.error !== undefined) throw this.#end.error
    return undefined
  }
}
