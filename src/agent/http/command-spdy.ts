// Commands over SPDY/3.1: one stream for each of error, stdin, stdout, stderr and resize, opened by
// the client. kubectl up to 1.29, and newer ones where WebSocket does not get through.

import type { ByteStream } from '../../lib/byte-stream.ts'
import type { Clock } from '../../lib/clock.ts'
import {
  type CommandClient,
  type CommandEnd,
  type CommandOptions,
  parseResize,
  plainText,
  type Resize,
  statusText,
} from './command-client.ts'
import type { NodeRequest } from './request.ts'
import { SpdyConnection, type SpdyStream } from './spdy.ts'
import { acceptSpdy, spdyProtocol } from './upgrade.ts'

/** v5 adds nothing over SPDY, so that v4 is what servers choose. */
const PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const WITH_RESIZE = ['v4.channel.k8s.io', 'v3.channel.k8s.io']
/** A client that has not opened its streams by then never will. */
const STREAMS_MS_MAX = 30_000

export async function acceptCommandSpdy(
  stream: ByteStream,
  request: NodeRequest,
  options: CommandOptions,
  clock: Clock,
): Promise<CommandClient> {
  const protocol = spdyProtocol(request, PROTOCOLS)
  await acceptSpdy(stream, protocol)
  const streams = new Map<string, SpdyStream>()
  const resizes = options.tty && WITH_RESIZE.includes(protocol ?? '')
  const expected = expectedStreams(options, resizes)
  const complete = Promise.withResolvers<void>()
  const connection = new SpdyConnection(stream, clock, (opened) => {
    const type = opened.headers.get('streamtype') ?? ''
    if (!expected.includes(type) || streams.has(type)) return opened.abort('unexpected stream')
    streams.set(type, opened)
    if (streams.size === expected.length) complete.resolve()
  })
  const gone = new AbortController()
  void connection.run().then(() => {
    gone.abort(new Error('client has gone'))
    complete.reject(gone.signal.reason)
  })
  void connection.saidAll.then(() => complete.reject(new Error('client opens no more streams')))
  const cancel = clock.after(STREAMS_MS_MAX, () => {
    complete.reject(new Error('timed out waiting for client to create streams'))
  })
  await complete.promise.finally(cancel)
  const status = protocol === PROTOCOLS[0]
  const client = { connection, streams, gone: gone.signal, status }
  return commandClient(client)
}

function expectedStreams({ stdin, stdout, stderr }: CommandOptions, resizes: boolean): string[] {
  const wanted = { error: true, stdin, stdout, stderr, resize: resizes }
  return Object.entries(wanted).flatMap(([type, isWanted]) => (isWanted ? [type] : []))
}

type SpdyClient = {
  connection: SpdyConnection
  streams: ReadonlyMap<string, SpdyStream>
  gone: AbortSignal
  /** The end is told by a Status, not by plain words. */
  status: boolean
}

function commandClient({ connection, streams, gone, status }: SpdyClient): CommandClient {
  const write = async (type: string, bytes: Uint8Array) => {
    await streams.get(type)?.write(bytes)
  }
  return {
    stdin: streams.get('stdin')?.readable,
    writeStdout: (bytes) => write('stdout', bytes),
    writeStderr: (bytes) => write('stderr', bytes),
    onResize(resize) {
      const sizes = streams.get('resize')
      if (sizes !== undefined) void readSizes(sizes.readable, resize)
    },
    async finish(end: CommandEnd) {
      const text = status ? statusText(end) : plainText(end)
      if (text !== '') await write('error', Buffer.from(text))
      for (const type of ['stdout', 'stderr', 'error']) await streams.get(type)?.end()
      await connection.close()
    },
    gone,
  }
}

/** One JSON document after another, in pieces that may end anywhere. */
async function readSizes(sizes: ReadableStream<Uint8Array>, resize: Resize): Promise<void> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of sizes) {
      text += decoder.decode(bytes, { stream: true })
      const documents = text.split('}')
      text = documents.pop() ?? ''
      const size = parseResize(`${documents.at(-1) ?? ''}}`)
      if (size !== undefined) resize(size.columns, size.rows)
    }
  } catch {
    // The client is gone, which others see too.
  }
}
