// Asks the host's resolvers for names outside the cluster, and gives back what they say, byte for
// byte but for the id.

import { readFile } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { timeLimit } from '../lib/clock.ts'
import { parseIp } from '../lib/ip.ts'
import type { Random } from '../lib/random.ts'
import { FrameReader, framed } from './frames.ts'
import type { Transport } from './message.ts'

/** Who asks, and how. */
export type Asker = { readonly over: Transport; readonly address: string }

export interface Forwarder {
  /** The raw reply to a raw query; undefined when no resolver answered in time. */
  ask(query: Uint8Array, asker: Asker, signal: AbortSignal): Promise<Uint8Array | undefined>
}

export type ForwardDeps = {
  clock: Clock
  random: Random
  resolvConfPath: string
  /** Our own address: asking it would be a loop. */
  ownAddress: string
}

const ASK_MS_MAX = 2000
const PENDING_MAX = 1000
/** So that one client whose names nobody knows leaves room for the others. */
const PENDING_PER_CLIENT_MAX = 200
/** Resolvers change when networks do; the file is looked at again after this long. */
const RESOLVERS_KEPT_MS = 5000
const RESOLVERS_MAX = 3
const PORT = 53

export function createForwarder(deps: ForwardDeps): Forwarder {
  const pending = new Share(PENDING_MAX, PENDING_PER_CLIENT_MAX)
  let resolvers: readonly string[] = []
  let readAtMs = Number.NEGATIVE_INFINITY

  const current = async () => {
    if (deps.clock.monotonicMs() - readAtMs > RESOLVERS_KEPT_MS) {
      readAtMs = deps.clock.monotonicMs()
      // Without the file there is nobody to ask: the answer is SERVFAIL, as it should be.
      const text = await readFile(deps.resolvConfPath, 'utf8').catch(() => '')
      resolvers = parseResolvers(text).filter((address) => address !== deps.ownAddress)
    }
    return resolvers
  }

  return {
    async ask(query, { over, address }, signal) {
      if (!pending.take(address)) return undefined
      try {
        for (const resolver of await current()) {
          const limit = timeLimit(deps.clock, ASK_MS_MAX, signal)
          const ask = over === 'udp' ? askUdp : askTcp
          // A resolver that fails is the reason to try the next.
          const reply = await ask(resolver, query, deps.random, limit.signal).catch(() => undefined)
          limit.done()
          if (reply !== undefined) return reply
        }
        return undefined
      } finally {
        pending.giveBack(address)
      }
    },
  }
}

/** So many at once in all, and so many for each client. */
export class Share {
  readonly #max: number
  readonly #perClientMax: number
  readonly #taken = new Map<string, number>()
  #total = 0

  constructor(max: number, perClientMax: number) {
    this.#max = max
    this.#perClientMax = perClientMax
  }

  get isFull(): boolean {
    return this.#total >= this.#max
  }

  /** False when there is none left. */
  take(client: string): boolean {
    const taken = this.#taken.get(client) ?? 0
    if (this.isFull || taken >= this.#perClientMax) return false
    this.#taken.set(client, taken + 1)
    this.#total++
    return true
  }

  giveBack(client: string): void {
    const left = (this.#taken.get(client) ?? 0) - 1
    if (left > 0) this.#taken.set(client, left)
    else this.#taken.delete(client)
    this.#total--
  }
}

/** The nameservers of a resolv.conf, as resolv.conf(5) has them. Pure. */
export function parseResolvers(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/))
  const addresses = lines.flatMap(([word, value]) =>
    word === 'nameserver' && value ? [value] : [],
  )
  return addresses.filter((address) => parseIp(address)).slice(0, RESOLVERS_MAX)
}

/** An id of our own, so that a reply meant for somebody else is not taken (RFC 5452). */
function withId(message: Uint8Array, id: Uint8Array): Uint8Array {
  const copy = new Uint8Array(message)
  copy.set(id.subarray(0, 2))
  return copy
}

async function askUdp(
  resolver: string,
  query: Uint8Array,
  random: Random,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const id = random.bytes(2)
  const reply = Promise.withResolvers<Uint8Array>()
  const onAbort = () => reply.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const socket = await Bun.udpSocket({
    connect: { hostname: resolver, port: PORT },
    socket: {
      data(_socket, data) {
        if (data[0] === id[0] && data[1] === id[1]) reply.resolve(withId(data, query))
      },
      error: (_socket, error) => reply.reject(error),
    },
  })
  try {
    socket.send(withId(query, id))
    return await reply.promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}

async function askTcp(
  resolver: string,
  query: Uint8Array,
  random: Random,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const id = random.bytes(2)
  const reply = Promise.withResolvers<Uint8Array>()
  const onAbort = () => reply.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const frames = new FrameReader()
  const connecting = Bun.connect({
    hostname: resolver,
    port: PORT,
    socket: {
      open: (socket) => void socket.write(framed(withId(query, id))),
      data(_socket, chunk) {
        for (const message of frames.read(chunk)) {
          if (message[0] === id[0] && message[1] === id[1]) reply.resolve(withId(message, query))
        }
      },
      close: () => reply.reject(new Error(`${resolver} closed the connection`)),
      error: (_socket, error) => reply.reject(error),
      connectError: (_socket, error) => reply.reject(error),
    },
  })
  // One that hangs while it connects must not be waited for, but ended when it is there.
  const ended = connecting.catch(() => undefined)
  try {
    return await reply.promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    ended.then((socket) => socket?.end())
  }
}
