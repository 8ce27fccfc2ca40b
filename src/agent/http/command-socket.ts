// Commands over WebSocket: v5.channel.k8s.io and everything older (KEP-4006).
//
//   0 stdin   1 stdout   2 stderr   3 the end, as a Status   4 size of the terminal
//   255 "this channel is closed", for stdin; only v5 has it

import type { ByteStream } from '../../lib/byte-stream.ts'
import { ByteQueue } from '../../lib/net/byte-queue.ts'
import { ChannelSocket } from './channel-socket.ts'
import {
  type CommandClient,
  type CommandEnd,
  type CommandOptions,
  parseResize,
  plainText,
  type Resize,
  statusText,
} from './command-client.ts'
import { HttpError, type NodeRequest } from './request.ts'
import { offered, upgradeToWebSocket } from './upgrade.ts'

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const ERROR = 3
const RESIZE = 4
const CLOSE = 255

type Protocol = { base64: boolean; status: boolean; closes: boolean }

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  '': { base64: false, status: false, closes: false },
  'channel.k8s.io': { base64: false, status: false, closes: false },
  'base64.channel.k8s.io': { base64: true, status: false, closes: false },
  'v4.channel.k8s.io': { base64: false, status: true, closes: false },
  'v4.base64.channel.k8s.io': { base64: true, status: true, closes: false },
  'v5.channel.k8s.io': { base64: false, status: true, closes: true },
}
/** What a command may not have read yet; then the client has to wait. */
const STDIN_BYTES_MAX = 128 * 1024
const NOTHING = new Uint8Array(0)

export async function acceptCommandSocket(
  stream: ByteStream,
  request: NodeRequest,
  options: CommandOptions,
): Promise<CommandClient> {
  const names = offered(request, 'sec-websocket-protocol')
  const name = names.length === 0 ? '' : names.find((offer) => Object.hasOwn(PROTOCOLS, offer))
  if (name === undefined) {
    throw new HttpError(400, `requested protocol(s) are not supported: ${names.join(', ')}`)
  }
  const messages = upgradeToWebSocket(stream, request, name || undefined)
  const socket = new ChannelSocket(messages, PROTOCOLS[name]!.base64)
  const client = new SocketClient(socket, PROTOCOLS[name]!, options)
  // The first message tells the client that the streams are there.
  await socket.send(options.stdout ? STDOUT : options.stderr ? STDERR : ERROR, NOTHING)
  void client.read()
  return client
}

class SocketClient implements CommandClient {
  readonly stdin: ReadableStream<Uint8Array> | undefined
  readonly gone: AbortSignal
  readonly #socket: ChannelSocket
  readonly #protocol: Protocol
  readonly #options: CommandOptions
  readonly #input = new ByteQueue({ capacityBytes: STDIN_BYTES_MAX })
  readonly #gone = new AbortController()
  #resize: Resize | undefined
  #size: { columns: number; rows: number } | undefined

  constructor(socket: ChannelSocket, protocol: Protocol, options: CommandOptions) {
    this.#socket = socket
    this.#protocol = protocol
    this.#options = options
    this.stdin = options.stdin ? this.#input.readable : undefined
    this.gone = this.#gone.signal
  }

  async writeStdout(bytes: Uint8Array): Promise<void> {
    if (this.#options.stdout) await this.#socket.send(STDOUT, bytes)
  }

  async writeStderr(bytes: Uint8Array): Promise<void> {
    if (this.#options.stderr) await this.#socket.send(STDERR, bytes)
  }

  /** A size that came before anybody asked is passed on too. */
  onResize(resize: Resize): void {
    this.#resize = resize
    if (this.#size !== undefined) resize(this.#size.columns, this.#size.rows)
  }

  async finish(end: CommandEnd): Promise<void> {
    // What the client still sends is of no use now, but is read: see `WebSocketStream.close`.
    this.#input.end()
    const text = this.#protocol.status ? statusText(end) : plainText(end)
    if (text !== '') await this.#socket.send(ERROR, Buffer.from(text))
    await this.#socket.close()
  }

  /** Reads until the client is gone. Never rejects. */
  async read(): Promise<void> {
    try {
      for (;;) {
        const message = await this.#socket.receive()
        if (message === undefined) break
        await this.#received(message.channel, message.data)
      }
      this.#input.end()
    } catch (error) {
      this.#socket.abort(error)
    }
    const reason = new Error('client has gone')
    this.#input.fail(reason)
    this.#gone.abort(reason)
  }

  async #received(channel: number, data: Uint8Array): Promise<void> {
    if (channel === STDIN && this.#options.stdin) await this.#input.push(data).catch(ignoreUnread)
    else if (channel === RESIZE) this.#resized(data)
    else if (channel === CLOSE && this.#protocol.closes && data[0] === STDIN) this.#input.end()
  }

  #resized(data: Uint8Array): void {
    const size = parseResize(Buffer.from(data).toString())
    if (size === undefined) return
    this.#size = size
    this.#resize?.(size.columns, size.rows)
  }
}

/** A command may close its input, or end, before it has read everything: the rest is dropped. */
function ignoreUnread(): void {}
