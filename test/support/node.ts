// One node in this process: the real agent against the real API server, with containers that live in
// memory and a clock that stands still. Agent and server can be taken away and brought back.

import { openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from '../../src/agent/agent.ts'
import type { MachineFacts } from '../../src/agent/node/machine.ts'
import type { NodeSettings } from '../../src/agent/settings.ts'
import { pods } from '../../src/api/kinds/core/pod/row.ts'
import { serviceAccounts } from '../../src/api/kinds/core/serviceaccount/row.ts'
import { events } from '../../src/api/kinds/events/event/row.ts'
import type { Pod, PodSpec } from '../../src/api/schema/generated/types.ts'
import type { ApiRequest, Client, Transport } from '../../src/kit/client.ts'
import { createClient } from '../../src/kit/client-impl.ts'
import { EventSink } from '../../src/kit/events.ts'
import { InformerSet } from '../../src/kit/informer-set.ts'
import { localTransport } from '../../src/kit/transport-local.ts'
import { SimClock } from '../../src/lib/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { SeededRandom } from '../../src/lib/random.ts'
import { FakeImages, FakeRuntime } from './fake-runtime.ts'
import { ADMIN, type TestServer, testServer } from './server.ts'

/** Only so that a test which waits in vain says for what; nothing is judged by it. */
/** Of about a millisecond each. */
const TURNS_TO_END_MAX = 100
const WAIT_MS_MAX = 20_000
const NAMESPACE = 'default'

const MACHINE: MachineFacts = {
  architecture: 'amd64',
  cpus: 2,
  memoryBytes: 2 * 1024 ** 3,
  kernelVersion: '6.1.0',
  osImage: 'Debian GNU/Linux 12 (bookworm)',
  machineId: 'm',
  systemUuid: 's',
  bootId: 'b',
  hugePages: [],
  hasMemoryCgroup: true,
}

export type TestNodeOptions = {
  settings?: Partial<NodeSettings>
  machine?: Partial<MachineFacts>
}

export class TestNode implements AsyncDisposable {
  readonly clock: SimClock
  readonly client: Client
  readonly runtime: FakeRuntime
  readonly images = new FakeImages()
  readonly folder: string
  /** What agents asked the API for: `PATCH /api/v1/…`. */
  readonly requests: string[] = []
  readonly log: string[] = []
  agent!: Agent
  isServerAway = false
  readonly #server: TestServer
  readonly #settings: NodeSettings
  readonly #machine: MachineFacts
  readonly #mounts: string[] = []
  /** Of the test itself, which outlives agents. */
  readonly #signal = new AbortController().signal
  #stop = new AbortController()
  #running: Promise<unknown>[] = []

  private constructor(
    clock: SimClock,
    server: TestServer,
    folder: string,
    options: TestNodeOptions,
  ) {
    this.clock = clock
    this.#server = server
    this.folder = folder
    this.runtime = new FakeRuntime(clock)
    this.#machine = { ...MACHINE, ...options.machine }
    this.client = createClient(this.#transport('test', () => {}))
    this.#settings = {
      nodeName: 'node-a',
      hostName: 'node-a',
      addresses: ['192.0.2.10'],
      labels: {},
      taints: [],
      version: 'v1.36.0+kedge',
      port: 10250,
      podsMax: 110,
      reserved: {},
      memoryBytes: MACHINE.memoryBytes,
      clusterDns: ['10.43.0.10'],
      clusterDomain: 'cluster.local',
      dataFolder: join(folder, 'agent'),
      logsFolder: join(folder, 'logs'),
      resolvConfPath: join(folder, 'resolv.conf'),
      hostsPath: join(folder, 'hosts'),
      allowedUnsafeSysctls: [],
      ...options.settings,
    }
  }

  static async start(options: TestNodeOptions = {}): Promise<TestNode> {
    const clock = new SimClock(Date.UTC(2026, 0, 1))
    const server = await testServer({ clock })
    const folder = await mkdtemp(join(tmpdir(), 'kedge-node-'))
    const node = new TestNode(clock, server, folder, options)
    const account = { metadata: { name: 'default', namespace: NAMESPACE } }
    await node.client.create(serviceAccounts, account, new AbortController().signal)
    await node.startAgent()
    return node
  }

  /** A new agent over the containers and the folders of the last one. */
  async startAgent(): Promise<void> {
    const { clock } = this
    this.#stop = new AbortController()
    const random = new SeededRandom(7)
    const write = (line: string) => this.log.push(line)
    const log = createLog({ clock, level: 'warn', format: 'text', write })
    const note = ({ method, path }: ApiRequest) => {
      if (method !== 'GET') this.requests.push(`${method} ${path}`)
    }
    const client = createClient(this.#transport('kubelet', note))
    const informers = new InformerSet({ client, clock, random, log, freeze: true })
    const sink = new EventSink({ client, clock, log })
    this.agent = new Agent({
      client,
      informers,
      clock,
      random,
      log,
      recorder: sink.recorder('kubelet', this.#settings.nodeName),
      runtime: this.runtime,
      images: this.images,
      settings: this.#settings,
      machine: this.#machine,
      checks: [],
      mountinfo: async () =>
        this.#mounts.map((point) => `1 1 0:1 / ${point} rw - x x x`).join('\n'),
      syscalls: {
        mount: ({ target }) => void this.#mounts.push(target),
        unmount: (target) => {
          const at = this.#mounts.indexOf(target)
          if (at >= 0) this.#mounts.splice(at, 1)
          return at >= 0
        },
      },
      opener: { openBeneath: (root, path) => openSync(join(root, path), 'r') },
    })
    for (const part of [informers, sink, this.agent]) {
      const { done } = await part.start(this.#stop.signal)
      this.#running.push(done)
    }
  }

  /** As a kill: nothing is told to anybody. */
  async stopAgent(): Promise<void> {
    this.#stop.abort()
    // Whatever still hangs on the clock may go on for as long as it likes.
    await this.until('the agent has ended', () => true)
    await Promise.race([Promise.allSettled(this.#running), this.clock.advance(0)])
    this.#running = []
  }

  /** Turns the event loop until `check` holds; the clock stands still. */
  async until<T>(what: string, check: () => T | Promise<T>): Promise<NonNullable<T>> {
    const endMs = performance.now() + WAIT_MS_MAX
    while (performance.now() < endMs) {
      const value = await check()
      if (value) return value
      await this.clock.advance(0)
    }
    throw new Error(`never happened: ${what}\n${this.log.slice(-10).join('\n')}`)
  }

  /** Lets everything happen that can happen now. */
  async settle(turns = 200): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await this.clock.advance(0)
  }

  async advance(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left--) {
      await this.clock.advance(1000)
      await this.settle(30)
    }
  }

  /** Creates a pod that is bound to this node. Without a token, unless the spec says otherwise. */
  async run(name: string, spec: PodSpec, metadata: Pod['metadata'] = {}): Promise<Pod> {
    const pod: Pod = {
      metadata: { name, namespace: NAMESPACE, ...metadata },
      spec: { nodeName: 'node-a', automountServiceAccountToken: false, ...spec },
    }
    return this.client.create(pods, pod, this.#signal)
  }

  async pod(name: string): Promise<Pod | undefined> {
    const where = { namespace: NAMESPACE, name }
    return this.client.get(pods, where, this.#signal).catch(() => undefined)
  }

  /** Waits until the API says this of the pod. */
  async untilPod(name: string, what: string, check: (pod: Pod) => unknown): Promise<Pod> {
    let last: Pod | undefined
    try {
      return await this.until(what, async () => {
        last = await this.pod(name)
        return last !== undefined && check(last) ? last : undefined
      })
    } catch (error) {
      throw new Error(`${what}: ${JSON.stringify(last?.status, null, 1)}`, { cause: error })
    }
  }

  async delete(name: string, gracePeriodSeconds?: number): Promise<void> {
    const options = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }
    await this.client.delete(pods, { namespace: NAMESPACE, name }, options, this.#signal)
  }

  /** As whoever may write statuses of pods. */
  async setStatus(name: string, status: NonNullable<Pod['status']>): Promise<void> {
    const where = { namespace: NAMESPACE, name, subresource: 'status' }
    await this.client.patch(pods, where, { type: 'merge', body: { status } }, this.#signal)
  }

  /** `Warning Failed Error: …` of one pod, oldest first. */
  async eventsOf(name: string): Promise<string[]> {
    const list = await this.client.list(events, { namespace: NAMESPACE }, this.#signal)
    return list.items
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ type, reason, message }) => `${type} ${reason} ${message}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    // What hangs on the clock may never end. What is being written does, and must not come late.
    const ended = Promise.allSettled(this.#running).then(() => true)
    for (let turn = 0; turn < TURNS_TO_END_MAX; turn++) {
      await this.settle(20)
      if (await Promise.race([ended, Bun.sleep(1)])) break
    }
    await this.#server.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  #transport(agent: string, note: (request: ApiRequest) => void): Transport {
    const plain = localTransport(
      (request, env) => this.#server.app.fetch(request, env),
      ADMIN,
      agent,
    )
    const isCut = () => agent !== 'test' && this.isServerAway
    return {
      async request(request, signal) {
        if (isCut()) throw new Error('connect ECONNREFUSED')
        note(request)
        return plain.request(request, signal)
      },
      async *watch(request, signal) {
        if (isCut()) throw new Error('connect ECONNREFUSED')
        yield* plain.watch(request, signal)
      },
    }
  }
}
