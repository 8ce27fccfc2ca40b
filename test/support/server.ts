// The real API server over a store in memory, in this process and without a socket.

import { builtInRows } from '../../src/api/kinds/all.ts'
import { createRegistry, type Registry } from '../../src/api/registry.ts'
import type { AnyRow, UserInfo } from '../../src/api/resource.ts'
import { type Clock, SystemClock } from '../../src/lib/clock.ts'
import { parseCidr } from '../../src/lib/ip.ts'
import { type Log, silentLog } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { type Random, SeededRandom } from '../../src/lib/random.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { ServiceAccountTokens } from '../../src/pki/service-account.ts'
import type { AdmissionPlugin } from '../../src/server/admission/chain.ts'
import { createApp, type ServerApp } from '../../src/server/app.ts'
import { ensureBootstrap } from '../../src/server/bootstrap/ensure.ts'
import type { NodeDialer } from '../../src/server/contract.ts'
import type { ReadyCheck, ServerDeps, ServerSettings } from '../../src/server/server.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'

export type TestServerOptions = {
  /** Default: the system's. */
  clock?: Clock
  /** Default: one in memory. */
  store?: Store
  random?: Random
  log?: Log
  rows?: readonly AnyRow[]
  nodes?: NodeDialer
  /** Default: a cluster after its first start, with namespaces, roles and the API's Service. */
  bootstrap?: boolean
  settings?: Partial<ServerSettings>
  checks?: readonly ReadyCheck[]
  admissionPlugins?: readonly AdmissionPlugin[]
  /** Who asks when a call does not say. Default: an administrator. */
  user?: UserInfo
}

export type TestCall = {
  body?: unknown
  headers?: Record<string, string>
  user?: UserInfo
  signal?: AbortSignal
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at answers of every shape.
export type TestAnswer = { code: number; headers: Headers; text: string; json: any }

/** To be disposed of: `await using server = await testServer()`. */
export interface TestServer extends AsyncDisposable {
  readonly app: ServerApp
  readonly store: Store
  readonly registry: Registry
  readonly deps: ServerDeps
  /** Sends `body` as JSON unless the headers say otherwise; a string goes as it is. */
  call(method: string, path: string, call?: TestCall): Promise<TestAnswer>
  /** Opens a watch at `path`; throws when it is refused. */
  watch(path: string, call?: TestCall): Promise<TestWatch>
  close(): Promise<void>
}

/** The events of one watch, one after the other. */
export interface TestWatch {
  readonly headers: Headers
  /** The next event, or undefined after the last. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at events of every shape.
  next(): Promise<any>
  stop(): Promise<void>
}

export const ADMIN: UserInfo = {
  username: 'admin',
  groups: ['system:masters', 'system:authenticated'],
}

/** Nodes that are not there. */
const NO_NODES: NodeDialer = {
  dialNode: (name) => Promise.reject(new Error(`node ${name} is not connected`)),
  dialFrom: (name) => Promise.reject(new Error(`node ${name} is not connected`)),
}

function apiAddress({ settings }: ServerDeps) {
  const { advertiseAddress, advertisePort, serviceCidr } = settings
  return { serviceCidr, address: advertiseAddress, port: advertisePort }
}

export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = options.clock ?? new SystemClock()
  const store = options.store ?? (await openStore({ path: ':memory:', clock }))
  const registry = createRegistry(options.rows ?? builtInRows)
  const deps: ServerDeps = {
    store,
    registry,
    clock,
    metrics: new Metrics(),
    random: options.random ?? new SeededRandom(1),
    log: options.log ?? silentLog,
    nodes: options.nodes ?? NO_NODES,
    checks: options.checks ?? [],
    admissionPlugins: options.admissionPlugins ?? [],
    pki: { clusterCaPem: '', tokens: new ServiceAccountTokens(generateKey()) },
    settings: {
      serviceCidr: parseCidr('10.43.0.0/16')!,
      nodePorts: { first: 30000, last: 32767 },
      clusterDomain: 'cluster.local',
      advertiseAddress: '192.0.2.1',
      advertisePort: 6443,
      ...options.settings,
    },
  }
  const app = createApp(deps)
  const stop = new AbortController()
  const running = app.run(stop.signal)
  if (options.bootstrap !== false) await ensureBootstrap(app, apiAddress(deps))
  const close = async () => {
    stop.abort()
    await store.close()
    await running
  }
  return {
    app,
    store,
    registry,
    deps,
    close,
    call: (method, path, call = {}) =>
      send(app, method, path, { user: options.user ?? ADMIN, ...call }),
    watch: (path, call = {}) => watch(app, path, { user: options.user ?? ADMIN, ...call }),
    [Symbol.asyncDispose]: close,
  }
}

async function send(
  app: ServerApp,
  method: string,
  path: string,
  call: TestCall,
): Promise<TestAnswer> {
  const response = await app.fetch(requestOf(method, path, call), { user: call.user ?? ADMIN })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  const isStream = path.includes('watch=') && response.status === 200
  const json = isJson && !isStream && text !== '' ? JSON.parse(text) : undefined
  return { code: response.status, headers: response.headers, text, json }
}

function requestOf(method: string, path: string, { body, headers = {}, signal }: TestCall) {
  return new Request(`http://test${path}`, {
    method,
    headers: { 'user-agent': 'test/1', 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
}

async function watch(app: ServerApp, path: string, call: TestCall): Promise<TestWatch> {
  const response = await app.fetch(requestOf('GET', path, call), { user: call.user ?? ADMIN })
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  const lines = linesOf(response.body!)
  return {
    headers: response.headers,
    next: async () => {
      const { value, done } = await lines.next()
      return done ? undefined : JSON.parse(value)
    },
    stop: async () => {
      await lines.return()
    },
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const utf8 = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    const lines = (text + utf8.decode(chunk, { stream: true })).split('\n')
    text = lines.pop()!
    yield* lines
  }
  if (text !== '') yield text
}
