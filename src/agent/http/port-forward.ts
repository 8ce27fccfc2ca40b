// port-forward: pairs of streams, one for the bytes of a connection and one for what went wrong.
//
// kubectl speaks SPDY, since 1.31 inside a WebSocket; an older form has two channels for each port
// in a plain WebSocket.

import type { ByteStream } from '../../lib/byte-stream.ts'
import { joinStreams } from '../../lib/net/pipe.ts'
import { bytesOver } from '../../lib/net/websocket.ts'
import { type NodeHttp, podOrThrow } from './pods-on-node.ts'
import { acceptPortChannels, type DialPod } from './port-channels.ts'
import type { NodeRequest } from './request.ts'
import { SpdyConnection, type SpdyStream } from './spdy.ts'
import { acceptSpdy, offered, spdyProtocol, upgradeKind, upgradeToWebSocket } from './upgrade.ts'

const PROTOCOL = 'portforward.k8s.io'
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io'
/** The other half of a pair comes at once, or never. */
const PAIR_MS_MAX = 30_000

/** /portForward/{namespace}/{pod} */
export async function handlePortForward(
  node: NodeHttp,
  request: NodeRequest,
  stream: ByteStream,
  signal: AbortSignal,
): Promise<void> {
  const [, namespace, name] = request.segments
  const pod = podOrThrow(node.pods, namespace!, name!)
  const uid = pod.metadata.uid ?? ''
  const dial: DialPod = async (port, until) => {
    try {
      return await node.runtime.dialPort(uid, port, until)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const what = `error forwarding port ${port} to pod ${name}, uid ${uid}`
      throw new Error(`${what}: ${why}`, { cause: error })
    }
  }
  if (upgradeKind(request) === 'spdy') {
    const protocol = spdyProtocol(request, [PROTOCOL])
    await acceptSpdy(stream, protocol)
    return forwardSpdy(node, stream, dial, signal)
  }
  if (!offered(request, 'sec-websocket-protocol').includes(TUNNEL_PROTOCOL)) {
    return acceptPortChannels(stream, request, { dial, clock: node.clock }, signal)
  }
  const messages = upgradeToWebSocket(stream, request, TUNNEL_PROTOCOL)
  await forwardSpdy(node, bytesOver(messages), dial, signal)
}

type Pair = { error?: SpdyStream; data?: SpdyStream; cancel: () => void }

async function forwardSpdy(
  { clock }: NodeHttp,
  stream: ByteStream,
  dial: DialPod,
  signal: AbortSignal,
): Promise<void> {
  const pairs = new Map<string, Pair>()
  const onStream = (opened: SpdyStream) => {
    const type = opened.headers.get('streamtype')
    if (portOf(opened) === undefined || (type !== 'error' && type !== 'data')) {
      opened.abort('malformed headers')
      return
    }
    const id = requestId(opened, type)
    const pair = pairs.get(id) ?? newPair(id)
    if (pair[type] !== undefined) return opened.abort('second stream of its kind')
    pair[type] = opened
    if (pair.error === undefined || pair.data === undefined) return
    pair.cancel()
    pairs.delete(id)
    void forward(pair.data, pair.error, dial, signal)
  }
  const newPair = (id: string): Pair => {
    const timeOut = () => {
      const reason = `(request=${id}) timed out waiting for streams`
      pairs.delete(id)
      pair.data?.abort(reason)
      pair.error?.abort(reason)
    }
    const pair: Pair = { cancel: clock.after(PAIR_MS_MAX, timeOut) }
    pairs.set(id, pair)
    return pair
  }
  await new SpdyConnection(stream, clock, onStream).run()
  for (const pair of pairs.values()) pair.cancel()
}

function portOf(stream: SpdyStream): number | undefined {
  const port = Number(stream.headers.get('port'))
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

/** Clients that send no id open the data stream right after the error stream. */
function requestId(stream: SpdyStream, type: 'error' | 'data'): string {
  const id = stream.headers.get('requestid')
  return id ?? String(type === 'error' ? stream.id : stream.id - 2)
}

/** One connection. Never rejects: what goes wrong is told on the error stream. */
async function forward(
  data: SpdyStream,
  error: SpdyStream,
  dial: DialPod,
  signal: AbortSignal,
): Promise<void> {
  try {
    const connection = await dial(portOf(data)!, signal)
    await joinStreams(data, connection, signal)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    await error.write(Buffer.from(text)).catch(ignoreGone)
    await data.end().catch(ignoreGone)
  }
  await error.end().catch(ignoreGone)
}

/** The client may be gone before it has heard. */
function ignoreGone(): void {}
