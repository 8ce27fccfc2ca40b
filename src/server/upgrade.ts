// Connections that ask to be something else than HTTP: tunnels of nodes, streams into pods, watches
// over WebSocket. They go down the same list as every request, and then leave it.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { UserInfo } from '../api/resource.ts'
import { ApiError, badRequest } from '../api/status.ts'
import { socketStream } from '../lib/net/socket-stream.ts'
import { acceptWebSocket, type WebSocketStream } from '../lib/net/websocket.ts'
import { PEERS_PATH, TUNNEL_PATH } from '../protocol/paths.ts'
import { impersonated } from './authn/impersonation.ts'
import { foreignKey } from './authn/node-keys.ts'
import { offeredProtocols, withSocketToken } from './authn/socket-token.ts'
import { nodeNameOf } from './authz/node.ts'
import { accessOf, forbiddenAccess } from './authz/request-access.ts'
import { resourceRequest, serveResource } from './dispatch.ts'
import { connect } from './objects/subresources/connect.ts'
import { type RequestInfo, requestInfo } from './request/request-info.ts'
import { pageNotFound } from './response/errors.ts'
import type { Server } from './server.ts'
import type { StreamDeps } from './streams/contract.ts'
import { refuse, relayUpgrade } from './streams/relay.ts'
import { isStreamRequest } from './streams/targets.ts'
import type { Tunnels } from './streams/tunnels.ts'
import { type Answer, type Call, isPush, type Push, type Sink } from './transport/call.ts'

export type UpgradeDeps = {
  server: Server
  streams: StreamDeps
  /** Takes the connections of nodes; undefined where nobody may dial in. */
  tunnels: Pick<Tunnels, 'accept'> | undefined
}

/** Reading is not all that these let one do: they want the right to create as well (1.35). */
const CREATING = ['exec', 'attach', 'portforward']

/** Resolves when the connection is over. Refusals are answers on the socket. */
export async function upgrade(
  deps: UpgradeDeps,
  received: Call,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  const { server, streams, tunnels } = deps
  let use: (() => Promise<void>) | undefined
  let leave = () => {}
  try {
    const call = withSocketToken(received)
    const info = requestInfo(call.method, call.path, call.query)
    const known = await server.authenticator.authenticate(call)
    const user = impersonated(call, accessOf(info, known, call.query), server.authorizer)
    authorize(server, call, info, user)
    leave = server.lasting.enter(user)
    if (call.path === TUNNEL_PATH) {
      const node = nodeNameOf(user)
      if (node === undefined || tunnels === undefined) throw badRequest('only nodes have tunnels')
      await bindName(server, call, node)
      use = () => tunnels.accept(node, call, socket, head)
    } else if (isStreamRequest(info)) {
      const request = resourceRequest(server, { call, info, user, warnings: [] })
      use = await connect(request, () => () => relayUpgrade(streams, call, info, socket, head))
    } else {
      const answer = await watchAnswer(server, call, info, user)
      use = () => sendWatch(answer, call, socket, head)
    }
  } catch (error) {
    leave()
    return refuse(socketStream(socket as Socket, head), error)
  }
  await use().finally(leave)
}

/** A node from before there were records of keys gets its own now. */
async function bindName({ nodeKeys }: Server, call: Call, node: string): Promise<void> {
  const key = call.env.clientCertificate?.publicKeySha256
  if (key === undefined || nodeKeys.keysOf(node) !== undefined) return
  if (!(await nodeKeys.claim(node, { key, shown: key }))) throw badRequest(foreignKey(node))
}

function authorize(server: Server, call: Call, info: RequestInfo, user: UserInfo): void {
  const access = accessOf(info, user, call.query)
  const isCreating = info.resource === 'pods' && CREATING.includes(info.subresource)
  const asked = isCreating ? [access, { ...access, verb: 'create' }] : [access]
  for (const one of asked) {
    const decision = server.authorizer.decide(one)
    if (!decision.allowed) throw forbiddenAccess(one, decision.reason)
  }
}

/** A watch as a list of messages; anything else cannot be upgraded. */
async function watchAnswer(server: Server, call: Call, info: RequestInfo, user: UserInfo) {
  if (call.path === PEERS_PATH) return { body: server.peers.answer().body, isText: true }
  if (info.verb !== 'watch') throw badRequest('this request cannot be upgraded')
  const answer = await serveResource(server, { call, info, user, warnings: [] })
  const { body, headers } = answer
  if (!isPush(body)) throw toError(answer)
  return { body, isText: `${headers['content-type']}`.includes('json') }
}

function toError(answer: Answer): ApiError {
  const { code } = answer.code === 200 ? { code: 400 } : answer
  const text = pageNotFound().body === answer.body ? '404 page not found' : 'watch is not possible'
  return new ApiError(code, '', text)
}

type WatchAnswer = { body: Push; isText: boolean }

async function sendWatch(
  { body, isText }: WatchAnswer,
  call: Call,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  let messages: WebSocketStream
  try {
    messages = acceptWebSocket(socket, call, { head, protocol: offeredProtocols(call)[0] })
  } catch (error) {
    return refuse(socketStream(socket as Socket, head), error)
  }
  const gone = new AbortController()
  const leave = () => gone.abort(new Error('the client has gone'))
  socket.once('close', leave)
  void readAway(messages).finally(leave)
  await body.push(new MessageSink(messages, isText, gone))
  await messages.close(1000, '')
}

/**
 * What a client says on a watch means nothing, but pings want an answer, and the end is the end.
 */
async function readAway(messages: WebSocketStream): Promise<void> {
  try {
    while ((await messages.receive()) !== undefined);
  } catch {
    // A connection that broke is over as well.
  }
}

/** One event, one message. Those that the client is slow to take are waited for, not stored up. */
class MessageSink implements Sink {
  readonly signal: AbortSignal
  readonly #messages: WebSocketStream
  readonly #isText: boolean
  readonly #gone: AbortController
  #sent: Promise<void> = Promise.resolve()
  #pendingCount = 0

  constructor(messages: WebSocketStream, isText: boolean, gone: AbortController) {
    this.#messages = messages
    this.#isText = isText
    this.#gone = gone
    this.signal = gone.signal
  }

  write(bytes: Uint8Array): boolean {
    if (this.signal.aborted) return false
    this.#pendingCount++
    this.#sent = this.#messages
      .send(bytes, this.#isText)
      .catch((error) => this.#gone.abort(error))
      .finally(() => this.#pendingCount--)
    return this.#pendingCount < PENDING_MAX
  }

  drained(): Promise<void> {
    return this.#sent
  }
}

/** So many messages may be under way before the next has to wait. */
const PENDING_MAX = 64
