// The port: TLS with client certificates, HTTP/2 and HTTP/1.1, and connections that are upgraded.
//
// Resources take the short way to the app; everything else goes through Hono.

import { createSecureServer, type Http2SecureServer, type Http2ServerRequest } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { UserError } from '../../lib/user-error.ts'
import { type ClientCas, PeerCertificates, type PeerSocket } from '../authn/client-certificate.ts'
import type { App, RequestEnv } from '../contract.ts'
import type { CallHandler } from './call.ts'
import { type Answer, decodePath } from './call.ts'
import { Connections } from './connections.ts'
import { SocketCall, type SocketRequest, writeAnswer } from './socket-call.ts'
import type { SocketResponse } from './written.ts'
import { limitReading, whenWritten } from './written.ts'

/** As pki keeps its credentials. */
export type ServingCertificate = { certificatePem: string; privateKeyPem: string }

export type ListenOptions = {
  app: App & CallHandler
  /** Every interface: '::'. */
  host: string
  /** 0 takes any free one. */
  port: number
  certificate: ServingCertificate
  cas: ClientCas
  clock: Clock
  log: Log
  /** What becomes of connections that ask to be upgraded. */
  upgrade?: UpgradeHandler
}

/** Requests that are under way at once on one connection of HTTP/2. */
const STREAMS_MAX = 250

export type UpgradeHandler = (call: SocketCall, socket: Duplex, head: Buffer) => Promise<void>

export type Listening = {
  port: number
  /** New connections get this certificate from now on. */
  renew(certificate: ServingCertificate): void
  /** Takes no more connections, and ends those there are. */
  close(): Promise<void>
}

/** Throws UserError when the port cannot be had. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { certificate, cas } = options
  const peers = new PeerCertificates(cas)
  const server = createSecureServer({
    allowHTTP1: true,
    requestCert: true,
    rejectUnauthorized: false,
    cert: certificate.certificatePem,
    key: certificate.privateKeyPem,
    settings: { maxConcurrentStreams: STREAMS_MAX },
    ca: [cas.client, cas.frontProxy].filter((pem) => pem !== ''),
  })
  const envFor = (request: SocketRequest) => envOf(request, peers, options.clock)
  const connections = new Connections(options.clock)
  const viaHono = getRequestListener(
    (request, { incoming, outgoing }) => {
      const written = (over: () => void) => whenWritten(outgoing, over)
      limitReading(outgoing, 0, options.clock)
      return options.app.fetch(request, { ...envFor(incoming), written })
    },
    { overrideGlobalObjects: false },
  )
  server.on('connection', (socket: Duplex) => connections.opened(socket))
  server.on('request', (request: SocketRequest, response: SocketResponse) => {
    whenWritten(response, connections.begin(socketOf(request)))
    if (!isResourcePath(request.url)) return viaHono(request as never, response as never)
    const call = new SocketCall(request, response, envFor(request), options.clock)
    void respond(options, call, response)
  })
  server.on('upgrade', (request: SocketRequest, socket: Duplex, head: Buffer) => {
    connections.begin(socket as never)
    const call = new SocketCall(request, socket as never, envFor(request), options.clock)
    void upgrade(options, call, socket, head)
  })
  server.on('sessionError', (error) => options.log.debug('connection failed', { error }))
  server.on('tlsClientError', (error) => options.log.debug('handshake failed', { error }))
  await bind(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    renew: ({ certificatePem, privateKeyPem }) =>
      server.setSecureContext({ cert: certificatePem, key: privateKeyPem }),
    close: () => close(server, connections),
  }
}

/** Errors of the handler are answers already; what is left is a client that went away. */
async function respond(
  { app, log, clock }: ListenOptions,
  call: SocketCall,
  response: SocketResponse,
) {
  let answer: Answer | undefined
  try {
    answer = await app.handle(call)
    await writeAnswer(response, answer, call, clock)
  } catch (error) {
    answer?.whenWritten?.()
    log.debug('answer was not delivered', { path: call.path, error })
    response.destroy()
  }
}

async function upgrade(options: ListenOptions, call: SocketCall, socket: Duplex, head: Buffer) {
  socket.on('error', (error) => options.log.debug('upgraded connection failed', { error }))
  try {
    if (options.upgrade) await options.upgrade(call, socket, head)
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  } catch (error) {
    options.log.warn('upgraded connection ended badly', { path: call.path, error })
    socket.destroy()
  }
}

/** Beyond /api/VERSION or /apis/GROUP/VERSION, where discovery ends. */
const RESOURCE_PATH = /^\/api(\/[^/?]+|s\/[^/?]+\/[^/?]+)\/[^/?]/

/** Judged by what the path means: percent signs must not choose another way through the server. */
function isResourcePath(url = '/'): boolean {
  const query = url.indexOf('?')
  return RESOURCE_PATH.test(decodePath(query < 0 ? url : url.slice(0, query)) ?? '')
}

/** HTTP/2 requests share the socket of their session. */
function envOf(request: SocketRequest, peers: PeerCertificates, clock: Clock): RequestEnv {
  const socket = socketOf(request)
  const { remoteAddress } = socket as { remoteAddress?: string }
  const clientCertificate = peers.of(socket as PeerSocket, clock.nowMs())
  return {
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  }
}

function socketOf(request: SocketRequest): Socket {
  return (request as Http2ServerRequest).stream?.session?.socket ?? request.socket
}

function bind(server: Http2SecureServer, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
      const why =
        error.code === 'EADDRINUSE'
          ? `port ${port} is in use: stop the program that has it, or choose another port`
          : `cannot listen on ${where}: ${error.message}`
      reject(new UserError(why, { cause: error }))
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}

function close(server: Http2SecureServer, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    connections.destroyAll()
  })
}
