// Pods as a load: created and deleted over the API, timed by what a watch sees.

import { readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'
import { median } from './compare.ts'
import { type Cluster, msUntil } from './peer.ts'

const NAMESPACE = 'kedge-bench-pods'
/** A kubelet takes its time to end pods. */
const GONE_MS_MAX = 120_000
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`

type Tls = { ca: string; cert: string; key: string }

export class PodLoad implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #tls: Tls
  readonly #stop = new AbortController()
  /** Resolved when a pod is first seen Running, or gone. */
  readonly #awaited = new Map<string, PromiseWithResolvers<number>>()
  #count = 0

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#tls = tlsOf(cluster.kubeconfig)
  }

  static async open(cluster: Cluster): Promise<PodLoad> {
    const load = new PodLoad(cluster)
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }
    await load.#send('POST', '/api/v1/namespaces', namespace)
    const watch = await load.#send('GET', `${PODS}?watch=1&timeoutSeconds=3600`)
    void load.#follow(watch)
    // The account of a new namespace takes a moment where it is made by another process.
    await Bun.sleep(2000)
    // The first pod pays for caches on both sides; it is not counted.
    await load.oneByOne(1)
    return load
  }

  /** Takes the namespace away, and waits until it is gone: the next load makes it again. */
  async [Symbol.asyncDispose]() {
    this.#stop.abort()
    const path = `/api/v1/namespaces/${NAMESPACE}`
    await this.#request('DELETE', path)
    await msUntil(async () => (await this.#request('GET', path)).status === 404, GONE_MS_MAX)
  }

  /** Medians over `count` pods: request to Running, and request to gone, in ms. */
  async oneByOne(count: number): Promise<{ startMs: number; stopMs: number }> {
    const [starts, stops]: [number[], number[]] = [[], []]
    for (let i = 0; i < count; i++) {
      const [name] = this.#names(1)
      starts.push(await this.#create([name!]))
      stops.push(await this.#delete([name!]))
    }
    return { startMs: median(starts), stopMs: median(stops) }
  }

  /** Pods per second when `count` are asked for at once; they are removed afterwards. */
  async burst(count: number): Promise<number> {
    const names = this.#names(count)
    const ms = await this.#create(names)
    await this.#delete(names)
    return (count / ms) * 1000
  }

  /** `count` pods that stay; returns the way to remove them. */
  async keep(count: number): Promise<() => Promise<void>> {
    const names = this.#names(count)
    await this.#create(names)
    return async () => {
      await this.#delete(names)
    }
  }

  #names(count: number): string[] {
    return Array.from({ length: count }, () => `p${this.#count++}`)
  }

  /** Time from the first request until the last pod is seen Running. */
  #create(names: readonly string[]): Promise<number> {
    return this.#timed(names, 'Running', (name) => {
      return this.#send('POST', PODS, podNamed(name, this.#cluster.image))
    })
  }

  #delete(names: readonly string[]): Promise<number> {
    return this.#timed(names, 'gone', (name) => this.#send('DELETE', `${PODS}/${name}`))
  }

  async #timed(
    names: readonly string[],
    what: 'Running' | 'gone',
    send: (name: string) => Promise<Response>,
  ): Promise<number> {
    const seen = names.map((name) => this.#await(`${name} ${what}`).promise)
    const startMs = performance.now()
    const sent = names.map(async (name) => (await send(name)).arrayBuffer())
    await Promise.all(sent)
    return Math.max(...(await Promise.all(seen))) - startMs
  }

  #await(what: string): PromiseWithResolvers<number> {
    const known = this.#awaited.get(what) ?? Promise.withResolvers<number>()
    this.#awaited.set(what, known)
    return known
  }

  async #follow(watch: Response): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    try {
      for await (const chunk of watch.body!) {
        text += decoder.decode(chunk, { stream: true })
        const lines = text.split('\n')
        text = lines.pop()!
        for (const line of lines) this.#see(JSON.parse(line))
      }
    } catch (error) {
      // Who waits hears of it; a server that is killed while nobody does is what a bench may want.
      for (const pending of this.#awaited.values()) pending.reject(error)
    }
  }

  #see({ type, object }: { type: string; object: PodSeen }): void {
    const { name } = object.metadata
    if (object.status?.phase === 'Running')
      this.#await(`${name} Running`).resolve(performance.now())
    if (type === 'DELETED') this.#await(`${name} gone`).resolve(performance.now())
  }

  async #send(method: string, path: string, body?: object): Promise<Response> {
    const response = await this.#request(method, path, {
      signal: this.#stop.signal,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }

  #request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.#cluster.url + path, { ...init, method, tls: this.#tls })
  }
}

type PodSeen = { metadata: { name: string }; status?: { phase?: string } }

function podNamed(name: string, image: string) {
  const container = { name: 'c', image, command: ['sleep', '3600'] }
  const spec = { terminationGracePeriodSeconds: 1, containers: [container] }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
}

function tlsOf(kubeconfig: string): Tls {
  // biome-ignore lint/suspicious/noExplicitAny: a kubeconfig without certificates fails right here.
  const config = loadAll(readFileSync(kubeconfig, 'utf8'))[0] as any
  const { 'certificate-authority-data': ca } = config.clusters[0].cluster
  const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user
  return { ca: atob(ca), cert: atob(cert), key: atob(key) }
}
