// Numbers about requests and about this process, under upstream's names where there is one.

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { KUBERNETES_VERSION } from '../../lib/version.ts'
import { type Answer, isPush, type Push } from '../call.ts'
import type { InFlight } from '../limits.ts'
import type { RequestInfo } from '../request-info.ts'
import type { Admitted } from '../resources.ts'
import type { Server } from '../server.ts'
import { storePrefix } from '../stored.ts'
import { GIT_VERSION } from './version.ts'

/** Upstream's, in seconds. */
const DURATION_BUCKETS = [
  ...[0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8],
  ...[10, 15, 20, 30, 45, 60],
]
const WHAT = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const

const VERBS: Record<string, string> = {
  ...{ get: 'GET', list: 'LIST', watch: 'WATCH', create: 'POST', update: 'PUT', patch: 'PATCH' },
  ...{ delete: 'DELETE', deletecollection: 'DELETECOLLECTION' },
}

/** More than all that is served, and few enough to be kept. */
const LABELS_MAX = 4096

type Labels = Record<(typeof WHAT)[number], string>

const OTHER: Labels = {
  ...{ verb: 'other', group: '', version: '', resource: '', subresource: '', scope: '' },
  component: 'apiserver',
}

export class ServerMetrics {
  readonly #registry = new Registry()
  readonly #total = this.#counter()
  readonly #duration = this.#histogram()
  readonly #lasting = this.#gauge('apiserver_longrunning_requests', 'Watches and streams', WHAT)
  /** Labels are the same objects again and again; making them is most of the cost. */
  readonly #labels = new Map<string, Labels>()

  note(info: RequestInfo, code: number, seconds: number): void {
    const labels = this.#labelsOf(info)
    this.#total.inc({ ...labels, dry_run: '', code: String(code) })
    if (info.verb !== 'watch') this.#duration.observe({ ...labels, dry_run: '' }, seconds)
  }

  /** Counts `answer` as long as it is being written, when it is one that lasts. */
  whileWritten(info: RequestInfo, answer: Answer): Answer {
    const { body } = answer
    if (!isPush(body) || body.isDocument) return answer
    const labels = this.#labelsOf(info)
    const counted: Push = {
      push: async (sink) => {
        this.#lasting.inc(labels)
        try {
          await body.push(sink)
        } finally {
          this.#lasting.dec(labels)
        }
      },
    }
    return { ...answer, body: counted }
  }

  /** What is only looked at when somebody asks. */
  watch({ store, registry, clock }: Server, inFlight: InFlight): void {
    const startedSeconds = clock.nowMs() / 1000
    const requests = this.#gauge('apiserver_current_inflight_requests', 'In flight', [
      'request_kind',
    ])
    const objects = this.#gauge('apiserver_resource_objects', 'Objects in the store', [
      ...['group', 'resource'],
    ])
    const process = processGauges((name, help) => this.#gauge(name, help, []))
    const build = this.#gauge('kubernetes_build_info', 'What this is', ['git_version', 'major'])
    build.set({ git_version: GIT_VERSION, major: KUBERNETES_VERSION.split('.')[0]! }, 1)
    const revision = this.#gauge('kedge_store_revision', 'The newest revision', [])
    this.#collect = () => {
      requests.set({ request_kind: 'readOnly' }, inFlight.count.reads)
      requests.set({ request_kind: 'mutating' }, inFlight.count.writes)
      for (const row of registry.rows) {
        const labels = { group: row.group, resource: row.plural }
        objects.set(labels, store.count(storePrefix(row, '')))
      }
      revision.set(store.revision)
      process(startedSeconds)
    }
  }

  async text(): Promise<{ type: string; text: string }> {
    this.#collect()
    return { type: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #collect: () => void = () => {}

  #labelsOf(info: RequestInfo): Labels {
    const { verb, group, version, resource, subresource } = info
    const scope = info.namedByPath ? 'resource' : info.namespace === '' ? 'cluster' : 'namespace'
    const key = `${verb} ${group} ${version} ${resource} ${subresource} ${scope}`
    let labels = this.#labels.get(key)
    if (labels === undefined) {
      // Paths come from outside: whoever makes them up must not fill the memory.
      if (this.#labels.size >= LABELS_MAX) return OTHER
      labels = {
        ...{ verb: VERBS[verb] ?? verb.toUpperCase(), group, version, resource, subresource },
        ...{ scope: info.isResource ? scope : '', component: 'apiserver' },
      }
      this.#labels.set(key, labels)
    }
    return labels
  }

  #counter() {
    return new Counter({
      ...{ name: 'apiserver_request_total', help: 'Requests answered' },
      labelNames: [...WHAT, 'dry_run', 'code'],
      registers: [this.#registry],
    })
  }

  #histogram() {
    return new Histogram({
      ...{ name: 'apiserver_request_duration_seconds', help: 'Time until answered' },
      labelNames: [...WHAT, 'dry_run'],
      buckets: DURATION_BUCKETS,
      registers: [this.#registry],
    })
  }

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[]) {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }
}

function processGauges(gauge: (name: string, help: string) => Gauge<never>) {
  const memory = gauge('process_resident_memory_bytes', 'Memory in use')
  const cpu = gauge('process_cpu_seconds_total', 'Processor time used')
  const start = gauge('process_start_time_seconds', 'When the server started')
  return (startedSeconds: number) => {
    const { user, system } = process.cpuUsage()
    memory.set(process.memoryUsage.rss())
    cpu.set((user + system) / 1e6)
    start.set(startedSeconds)
  }
}

export async function metrics({ metrics: numbers }: Server, _admitted: Admitted): Promise<Answer> {
  const { type, text } = await numbers.text()
  return { code: 200, headers: { 'content-type': type }, body: text }
}
