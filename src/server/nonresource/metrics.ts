// Numbers about requests and about this process, under upstream's names where there is one.

import { Gauge, type Metric, Registry } from 'prom-client'
import { KUBERNETES_VERSION } from '../../lib/version.ts'
import type { Admitted } from '../dispatch.ts'
import type { InFlight } from '../flowcontrol/limits.ts'
import { storePrefix } from '../objects/stored.ts'
import type { RequestInfo } from '../request/request-info.ts'
import type { Server } from '../server.ts'
import { type Answer, isPush, type Push } from '../transport/call.ts'
import { type Labels, RequestTally, type Sample } from './request-tally.ts'
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

const OTHER: Labels = {
  ...{ verb: 'other', group: '', version: '', resource: '', subresource: '', scope: '' },
  ...{ component: 'apiserver', dry_run: '' },
}
const TOTAL = 'apiserver_request_total'
const DURATION = 'apiserver_request_duration_seconds'

export class ServerMetrics {
  readonly #registry = new Registry()
  readonly #tally = new RequestTally(DURATION_BUCKETS, OTHER)
  readonly #lasting = this.#gauge('apiserver_longrunning_requests', 'Watches and streams', WHAT)

  constructor() {
    const counts = () => this.#tally.counts()
    const durations = () => this.#tally.durations(DURATION)
    this.#registry.registerMetric(computed(TOTAL, 'counter', 'Requests answered', counts))
    this.#registry.registerMetric(computed(DURATION, 'histogram', 'Time until answered', durations))
  }

  note(info: RequestInfo, code: number, seconds: number): void {
    const { verb, group, version, resource, subresource } = info
    const key = `${verb} ${group} ${version} ${resource} ${subresource} ${scopeOf(info)}`
    this.#tally.note(key, () => labelsOf(info), code, verb === 'watch' ? undefined : seconds)
  }

  /** Counts `answer` as long as it is being written, when it is one that lasts. */
  whileWritten(info: RequestInfo, answer: Answer): Answer {
    const { body } = answer
    if (!isPush(body) || body.isDocument) return answer
    const { dry_run: _, ...labels } = labelsOf(info)
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

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[]) {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }
}

function labelsOf(info: RequestInfo): Labels {
  const { verb, group, version, resource, subresource } = info
  return {
    ...{ verb: VERBS[verb] ?? verb.toUpperCase(), group, version, resource, subresource },
    ...{ scope: scopeOf(info), component: 'apiserver', dry_run: '' },
  }
}

function scopeOf({ isResource, namedByPath, namespace }: RequestInfo): string {
  if (!isResource) return ''
  if (namedByPath) return 'resource'
  return namespace === '' ? 'cluster' : 'namespace'
}

/** A metric whose lines are made when somebody asks. */
function computed(name: string, type: string, help: string, lines: () => Sample[]) {
  const metric = { name, get: async () => ({ name, type, help, values: lines() }) }
  return metric as unknown as Metric
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
