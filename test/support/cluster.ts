// A cluster in this process: the real API server, the real controllers, a clock that stands still,
// and nodes that are nothing but what a test says about their pods.

import { namespaces } from '../../src/api/kinds/core/namespace/row.ts'
import { pods } from '../../src/api/kinds/core/pod/row.ts'
import { serviceAccounts } from '../../src/api/kinds/core/serviceaccount/row.ts'
import type { KubeObject } from '../../src/api/object.ts'
import type { AnyRow, ResourceRow, UserInfo } from '../../src/api/resource.ts'
import type { Pod } from '../../src/api/schema/generated/types.ts'
import { formatTime } from '../../src/api/time.ts'
import type { ApiRequest, Client, Transport } from '../../src/kit/client.ts'
import { createClient } from '../../src/kit/client-impl.ts'
import type { AnyController } from '../../src/kit/controller.ts'
import { ControllerLoop } from '../../src/kit/controller-loop.ts'
import { EventSink } from '../../src/kit/events.ts'
import { InformerSet } from '../../src/kit/informer-set.ts'
import { QueueMetrics } from '../../src/kit/queue-metrics.ts'
import { localTransport } from '../../src/kit/transport-local.ts'
import { SimClock } from '../../src/lib/clock.ts'
import type { Component } from '../../src/lib/component.ts'
import { createLog, type Level } from '../../src/lib/log.ts'
import { Metrics } from '../../src/lib/metrics.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { testServer } from './server.ts'

export type ClusterDeps = {
  informers: InformerSet
  clientAs: (account: string) => Client
  events: EventSink
  clock: SimClock
  random: SeededRandom
  log: ReturnType<typeof createLog>
  queues: QueueMetrics
}

export type TestClusterOptions = {
  controllers?: readonly AnyController[]
  /** Parts that are no controllers. */
  components?: (deps: ClusterDeps) => readonly (Component & { readonly isIdle: boolean })[]
  rows?: readonly AnyRow[]
  /** Lets controllers do everything; else they have what bootstrap gives their accounts. */
  asAdmin?: boolean
  /** Where warnings go; `debug` shows everything. */
  level?: Level
}

export const ADMIN: UserInfo = { username: 'admin', groups: ['system:masters'] }

/** Controllers act with no more rights than bootstrap roles give their accounts. */
function accountUser(account: string): UserInfo {
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system']
  const username = `system:serviceaccount:kube-system:${account}`
  return { username, groups: [...groups, 'system:authenticated'] }
}

/** More turns of the event loop than any chain of passes takes before it pauses. */
const QUIET_TURNS = 12
const TURNS_MAX = 200_000

export class TestCluster implements AsyncDisposable {
  readonly clock: SimClock
  readonly client: Client
  readonly informers: InformerSet
  /** What was written, by everybody: `PUT /api/v1/…`. */
  readonly writes: string[] = []
  readonly warnings: string[] = []
  /** Everything that was asked of the server, watches aside. */
  requestCount = 0
  readonly #stop = new AbortController()
  readonly #parts: { isIdle: boolean }[] = []
  readonly #loops: ControllerLoop[] = []
  #inFlight = 0
  /** A request as it would come over the network, from an administrator. */
  fetch: (request: Request) => Promise<Response> = () => Promise.reject(new Error('not started'))
  #close: () => Promise<void> = async () => {}

  constructor(clock: SimClock, client: Client, informers: InformerSet) {
    this.clock = clock
    this.client = client
    this.informers = informers
  }

  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const clock = new SimClock(Date.UTC(2026, 0, 1))
    const server = await testServer({ clock, ...(options.rows ? { rows: options.rows } : {}) })
    const lines: string[] = []
    const write = (line: string) => lines.push(line)
    const log = createLog({ clock, level: options.level ?? 'warn', format: 'text', write })
    const random = new SeededRandom(1)
    let cluster: TestCluster | undefined
    const clientFor = (userAgent: string, user = ADMIN) => {
      const plain = localTransport(
        (request, env) => server.app.fetch(request, env),
        user,
        userAgent,
      )
      return createClient(counted(plain, () => cluster))
    }
    const client = clientFor('kube-controller-manager')
    const informers = new InformerSet({ client, clock, random, log, freeze: true })
    cluster = new TestCluster(clock, clientFor('test'), informers)
    Object.assign(cluster, { warnings: lines })
    cluster.fetch = async (request) => server.app.fetch(request, { user: ADMIN })
    cluster.#close = () => server.close()
    const events = new EventSink({ client, clock, log })
    const clientAs = (account: string) => {
      const user = options.asAdmin ? ADMIN : accountUser(account)
      return clientFor('kube-controller-manager', user)
    }
    const queues = new QueueMetrics(new Metrics())
    const deps = { informers, clientAs, events, clock, random, log, queues }
    cluster.#begin(options, deps)
    await cluster.settle()
    for (const name of ['default', 'kube-node-lease']) await cluster.#ensureNamespace(name)
    return cluster
  }

  #begin({ controllers = [], components = () => [] }: TestClusterOptions, deps: ClusterDeps) {
    this.#loops.push(...controllers.map((controller) => new ControllerLoop(controller, deps)))
    const others = components(deps)
    this.#parts.push(...this.#loops, ...others, deps.events)
    const { signal } = this.#stop
    for (const part of [deps.informers, deps.events, ...this.#loops, ...others]) {
      part.start(signal).then(({ done }) => done)
    }
  }

  /** A namespace in which pods can be made, also where no controller gives it an account. */
  async #ensureNamespace(name: string): Promise<void> {
    const isThere = (await this.get(namespaces, name)) !== undefined
    if (!isThere) await this.create(namespaces, { metadata: { name }, spec: {} })
    if ((await this.get(serviceAccounts, 'default', name)) !== undefined) return
    await this.create(serviceAccounts, { metadata: { name: 'default', namespace: name } })
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  enter(request: ApiRequest): () => void {
    this.#inFlight++
    this.requestCount++
    if (request.method !== 'GET') this.writes.push(`${request.method} ${request.path}`)
    return () => {
      this.#inFlight--
    }
  }

  /** Returns when nobody has anything to do before the clock moves. */
  async settle(): Promise<void> {
    let quiet = 0
    for (let turn = 0; quiet < QUIET_TURNS; turn++) {
      if (turn > TURNS_MAX) throw new Error(`never settles: ${this.writes.slice(-5).join('; ')}`)
      await this.clock.advance(0)
      const isQuiet = this.#inFlight === 0 && this.#parts.every(({ isIdle }) => isIdle)
      quiet = isQuiet ? quiet + 1 : 0
    }
  }

  /** Moves the clock in steps, so that what falls due is done when it is due. */
  async advance(ms: number, stepMs = 1000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs))
      await this.settle()
    }
  }

  async create<O extends KubeObject>(row: ResourceRow<O>, object: O): Promise<O> {
    const created = await this.client.create(row, object, this.signal)
    await this.settle()
    return created
  }

  async change<O extends KubeObject>(
    row: ResourceRow<O>,
    name: string,
    edit: (object: O) => void,
    namespace: string | undefined = row.scope === 'Namespaced' ? 'default' : undefined,
  ): Promise<O> {
    const object = await this.client.get(row, { namespace, name }, this.signal)
    edit(object)
    const changed = await this.client.update(row, object, this.signal)
    await this.settle()
    return changed
  }

  async remove(
    row: AnyRow,
    name: string,
    options: Parameters<Client['delete']>[2] = {},
    namespace: string | undefined = row.scope === 'Namespaced' ? 'default' : undefined,
  ): Promise<void> {
    await this.client.delete(row, { namespace, name }, options, this.signal)
    await this.settle()
  }

  async get<O extends KubeObject>(row: ResourceRow<O>, name: string, namespace = 'default') {
    const where = row.scope === 'Namespaced' ? { namespace, name } : { name }
    return this.client.get(row, where, this.signal).catch((error) => {
      if (error.code === 404) return undefined
      throw error
    })
  }

  async list<O extends KubeObject>(row: ResourceRow<O>, namespace?: string): Promise<O[]> {
    const query = namespace === undefined ? {} : { namespace }
    return (await this.client.list(row, query, this.signal)).items
  }

  /** What a node would say about a pod that runs well. Unbound pods are bound to `node` first. */
  async runPod(pod: Pod, node = 'node-a', ip = this.#nextIp()): Promise<void> {
    const { namespace, name = '' } = pod.metadata
    if (!pod.spec.nodeName) {
      const target = { kind: 'Node', name: node }
      const body = { kind: 'Binding', apiVersion: 'v1', metadata: { name }, target }
      await this.client.post(pods, { namespace, name, subresource: 'binding' }, body, this.signal)
    }
    const fresh = await this.client.get(pods, { namespace, name }, this.signal)
    const lastTransitionTime = formatTime(this.clock.nowMs())
    const ready = { type: 'Ready', status: 'True', lastTransitionTime }
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [ready] }
    await this.client.updateStatus(pods, { ...fresh, status }, this.signal)
  }

  /** Runs every pod that does not yet, and ends every pod that was asked to go. */
  async runPods(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      await this.settle()
      const all = await this.list(pods)
      const fresh = all.filter(({ status, metadata }) => {
        return status?.phase === 'Pending' && metadata.deletionTimestamp === undefined
      })
      const going = all.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      if (fresh.length + going.length === 0) return
      for (const pod of fresh) await this.runPod(pod)
      for (const { metadata } of going) {
        const { namespace, name = '' } = metadata
        const now = { gracePeriodSeconds: 0 }
        await this.client.delete(pods, { namespace, name }, now, this.signal)
      }
    }
    throw new Error('the pods never come to rest')
  }

  /** One more pass of every controller must write nothing. */
  async writesOfOneMorePass(): Promise<string[]> {
    await this.settle()
    const before = this.writes.length
    for (const loop of this.#loops) loop.enqueueAll()
    await this.settle()
    return this.writes.slice(before)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.clock.advance(0)
    await this.#close()
  }

  #ips = 0
  #nextIp(): string {
    this.#ips++
    return `10.42.0.${this.#ips + 1}`
  }
}

function counted(transport: Transport, clusterOf: () => TestCluster | undefined): Transport {
  return {
    watch: (request, signal) => transport.watch(request, signal),
    async request(request, signal) {
      const leave = clusterOf()?.enter(request)
      try {
        return await transport.request(request, signal)
      } finally {
        leave?.()
      }
    },
  }
}
