// Numbered channels in one WebSocket: the first byte of a message is the channel, or its digit when
// everything is base64 text.

import { concatBytes } from '../../lib/net/byte-reader.ts'
import type { WebSocketStream } from '../../lib/net/websocket.ts'

export type ChannelMessage = { channel: number; data: Uint8Array }

export class ChannelSocket {
  readonly #socket: WebSocketStream
  readonly #base64: boolean

  constructor(socket: WebSocketStream, base64: boolean) {
    this.#socket = socket
    this.#base64 = base64
  }

  send(channel: number, data: Uint8Array): Promise<void> {
    if (!this.#base64) return this.#socket.send(concatBytes([Uint8Array.of(channel), data]))
    const text = `${channel}${Buffer.from(data).toString('base64')}`
    return this.#socket.send(Buffer.from(text), true)
  }

  /** Undefined when the client has closed. */
  async receive(): Promise<ChannelMessage | undefined> {
    for (;;) {
      const message = await this.#socket.receive()
      if (message === undefined) return undefined
      const [first] = message.data
      if (first === undefined) continue
      const rest = message.data.subarray(1)
      if (!this.#base64) return { channel: first, data: rest }
      return { channel: first - 48, data: Buffer.from(Buffer.from(rest).toString(), 'base64') }
    }
  }

  close(): Promise<void> {
    return this.#socket.close(1000, '')
  }

  abort(reason: unknown): void {
    this.#socket.abort(reason)
  }
}
