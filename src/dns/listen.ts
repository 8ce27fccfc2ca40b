// The sockets of the DNS: UDP and TCP on one address.

import type { Log } from '../lib/log.ts'
import { framed } from './forward.ts'
import type { Responder } from './respond.ts'

export type ListenOptions = { address: string; port: number }

const CONNECTIONS_MAX = 200
const QUERY_BYTES_MAX = 65_535

/** Resolves once both sockets are bound; they close when `signal` aborts. */
export async function listen(
  { address, port }: ListenOptions,
  respond: Responder,
  log: Log,
  signal: AbortSignal,
): Promise<{ port: number }> {
  const udp = await Bun.udpSocket({
    hostname: address,
    port,
    socket: {
      async data(socket, query, fromPort, fromAddress) {
        const reply = await safely(() => respond(query, 'udp', signal))
        if (reply && !signal.aborted) socket.send(reply, fromPort, fromAddress)
      },
      error: (_socket, error) => log.debug('dns: udp socket', { error }),
    },
  })
  const tcp = listenTcp(address, udp.port, (query) => safely(() => respond(query, 'tcp', signal)))
  signal.addEventListener(
    'abort',
    () => {
      udp.close()
      tcp.stop(true)
    },
    { once: true },
  )
  return { port: udp.port }

  async function safely(run: () => Promise<Uint8Array | undefined>) {
    try {
      return await run()
    } catch (error) {
      if (!signal.aborted) log.warn('dns: answer a query', { error })
      return undefined
    }
  }
}

type Connection = { received: Uint8Array }

function listenTcp(
  address: string,
  port: number,
  respond: (query: Uint8Array) => Promise<Uint8Array | undefined>,
) {
  let open = 0
  return Bun.listen<Connection>({
    hostname: address,
    port,
    socket: {
      open(socket) {
        socket.data = { received: new Uint8Array() }
        open++
        if (open > CONNECTIONS_MAX) socket.end()
      },
      close() {
        open--
      },
      async data(socket, chunk) {
        const { received } = socket.data
        if (received.length + chunk.length > QUERY_BYTES_MAX + 2) return void socket.end()
        socket.data.received = new Uint8Array(Buffer.concat([received, chunk]))
        for (let query = takeQuery(socket.data); query; query = takeQuery(socket.data)) {
          const reply = await respond(query)
          if (reply) socket.write(framed(reply))
        }
      },
    },
  })
}

/** Takes one whole message off the front of what was received. */
function takeQuery(connection: Connection): Uint8Array | undefined {
  const { received } = connection
  if (received.length < 2) return undefined
  const length = received[0]! * 256 + received[1]!
  if (received.length < length + 2) return undefined
  connection.received = received.slice(length + 2)
  return received.slice(2, length + 2)
}
