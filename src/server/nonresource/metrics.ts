// Numbers about requests, flows, watches, the store and this process, under upstream's names.

import type { Registry } from '../../api/registry.ts'
import { qualifiedResource } from '../../api/resource.ts'
import type { Clock } from '../../lib/clock.ts'
import {
  type Counter,
  exponentialBuckets,
  type Family,
  type Gauge,
  type Histogram,
  type Metrics,
  processMetrics,
  REQUEST_SECONDS,
} from '../../lib/metrics.ts'
import { own } from '../../lib/own.ts'
import { KUBERNETES_VERSION } from '../../lib/version.ts'
import type { Store } from '../../store/store.ts'
import type { FlowControl, FlowObserver, RejectReason, Where } from '../flowcontrol/flow-control.ts'
import type { RequestInfo } from '../request/request-info.ts'
import { storePrefix } from '../storage/stored.ts'
import { type Answer, isPush, type Push, type Sink } from '../transport/call.ts'
import { GIT_VERSION } from './version.ts'

const WHAT = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const
const COMPONENT = 'apiserver'
/** Kinds of requests that are kept apart; paths come from outside. */
const KINDS_MAX = 4096
/** What answers have in bytes, in upstream's bounds. */
const ANSWER_BYTES = exponentialBuckets(1000, 10, 7)
/** What an event of a watch has in bytes, and how long requests wait, in upstream's bounds. */
const EVENT_BYTES = exponentialBuckets(1024, 2, 8)
const WAIT_SECONDS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]

const VERBS: Record<string, string> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
}
const READING = new Set(['get', 'list', 'watch', 'head', 'options'])

/** The series of one kind of request, looked up once. */
type Kind = {
  values: readonly string[]
  seconds: Histogram
  /** For reading alone, as upstream. */
  sizes: Histogram | undefined
  total: Map<number, Counter>
}
const SIZED = new Set(['GET', 'LIST'])

export class ServerMetrics implements FlowObserver {
  readonly #metrics: Metrics
  readonly #kinds = new Map<string, Kind>()
  readonly #total: Family<Counter>
  readonly #seconds: Family<Histogram>
  readonly #sizes: Family<Histogram>
  readonly #lasting: Family<Gauge>
  readonly #events: Family<Counter>
  readonly #eventBytes: Family<Histogram>
  readonly #dispatched: Family<Counter>
  readonly #rejected: Family<Counter>
  readonly #waitSeconds: Family<Histogram>
  readonly #current = { readOnly: 0, mutating: 0 }

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    const counter = (name: string, help: string, labels: readonly string[]) =>
      metrics.counter({ name, help, labels })
    const times = [...WHAT, 'dry_run']
    this.#total = counter('apiserver_request_total', 'Requests answered.', [...times, 'code'])
    this.#seconds = metrics.histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time until answered.',
      labels: times,
      buckets: REQUEST_SECONDS,
    })
    this.#sizes = metrics.histogram({
      name: 'apiserver_response_sizes',
      help: 'Bytes of answers.',
      labels: WHAT,
      buckets: ANSWER_BYTES,
    })
    const lasting = { name: 'apiserver_longrunning_requests', help: 'Watches and streams.' }
    this.#lasting = metrics.gauge({ ...lasting, labels: WHAT })
    const kind = ['group', 'version', 'resource']
    this.#events = counter('apiserver_watch_events_total', 'Events sent to watches.', kind)
    this.#eventBytes = metrics.histogram({
      name: 'apiserver_watch_events_sizes',
      help: 'Bytes of events sent to watches.',
      labels: kind,
      buckets: EVENT_BYTES,
    })
    const flow = ['priority_level', 'flow_schema']
    const [began, refused] = ['dispatched', 'rejected'].map(
      (what) => `apiserver_flowcontrol_${what}_requests_total`,
    )
    this.#dispatched = counter(began!, 'Requests that got seats.', flow)
    this.#rejected = counter(refused!, 'Requests that got none.', [...flow, 'reason'])
    this.#waitSeconds = metrics.histogram({
      name: 'apiserver_flowcontrol_request_wait_duration_seconds',
      help: 'Time that requests waited for seats.',
      labels: [...flow, 'execute'],
      buckets: WAIT_SECONDS,
    })
  }

  begin(info: RequestInfo): void {
    this.#current[kindOf(info)]++
  }

  /** What has become of a request that was begun, and what it was answered with. */
  note(info: RequestInfo, { code, body }: Ended, seconds: number): void {
    this.#current[kindOf(info)]--
    const kind = this.#kindOf(info)
    let total = kind.total.get(code)
    if (total === undefined) {
      total = this.#total.of(...kind.values, String(code))
      kind.total.set(code, total)
    }
    total.inc()
    if (info.verb !== 'watch') kind.seconds.observe(seconds)
    if (typeof body === 'string') kind.sizes?.observe(Buffer.byteLength(body))
    else if (body instanceof Uint8Array) kind.sizes?.observe(body.byteLength)
  }

  dispatched({ level, schema }: Where, waitSeconds: number): void {
    this.#dispatched.of(level, schema).inc()
    this.#waitSeconds.of(level, schema, 'true').observe(waitSeconds)
  }

  rejected({ level, schema }: Where, reason: RejectReason, waitSeconds: number): void {
    this.#rejected.of(level, schema, reason).inc()
    this.#waitSeconds.of(level, schema, 'false').observe(waitSeconds)
  }

  /** Counts `answer` as long as it is being written, when it is one that lasts. */
  whileWritten(info: RequestInfo, answer: Answer): Answer {
    const { body } = answer
    if (!isPush(body)) return answer
    if (body.isDocument) return { ...answer, body: sized(body, this.#kindOf(info).sizes) }
    const lasting = this.#lasting.of(...this.#kindOf(info).values.slice(0, WHAT.length))
    const counted: Push = {
      push: async (sink) => {
        lasting.inc()
        try {
          await body.push(info.verb === 'watch' ? this.#countingSink(info, sink) : sink)
        } finally {
          lasting.inc(-1)
        }
      },
    }
    return { ...answer, body: counted }
  }

  /** What is only looked at when somebody asks. */
  watch({ store, registry, clock, flowControl }: Watched): void {
    const gauge = (name: string, help: string, labels: string[], values: () => Row[]) =>
      this.#metrics.computed('gauge', { name, help, labels }, values)
    const kinds = () => Object.entries(this.#current)
    gauge('apiserver_current_inflight_requests', 'Under way.', ['request_kind'], kinds)
    gauge('apiserver_resource_objects', 'Objects in the store.', ['group', 'resource'], () =>
      registry.rows.map((row) => [row.group, row.plural, store.count(storePrefix(row, ''))]),
    )
    const levels = (what: string, help: string, value: (level: Level) => number) =>
      gauge(`apiserver_flowcontrol_${what}`, help, ['priority_level'], () =>
        [...flowControl.levels].map((level) => [level.name, value(level)]),
      )
    levels('nominal_limit_seats', 'Seats by shares.', ({ share }) => share.nominal)
    levels('lower_limit_seats', 'Seats never lent.', ({ share }) => share.guaranteed)
    levels('current_executing_seats', 'Seats in use.', ({ seatsInUse }) => seatsInUse)
    levels('current_executing_requests', 'Carried out.', ({ executingCount }) => executingCount)
    levels('current_inqueue_requests', 'Waiting.', ({ waitingCount }) => waitingCount)
    gauge('apiserver_storage_objects', 'Objects in the store.', ['resource'], () =>
      registry.rows.map((row) => [qualifiedResource(row), store.count(storePrefix(row, ''))]),
    )
    const size = 'Size of the storage database file physically allocated in bytes.'
    gauge('apiserver_storage_size_bytes', size, ['storage_cluster_id'], () => [
      ['sqlite-0', store.sizeBytes],
    ])
    gauge('kedge_store_revision', 'The newest revision.', [], () => [[store.revision]])
    const major = KUBERNETES_VERSION.split('.')[0]!
    gauge('kubernetes_build_info', 'What this is.', ['git_version', 'major'], () => [
      [GIT_VERSION, major, 1],
    ])
    processMetrics(this.#metrics)
    const startedSeconds = clock.nowMs() / 1000
    gauge('process_start_time_seconds', 'When it started.', [], () => [[startedSeconds]])
  }

  text(): Promise<{ type: string; text: string }> {
    return this.#metrics.text()
  }

  #countingSink({ group, version, resource }: RequestInfo, sink: Sink): Sink {
    const count = this.#events.of(group, version, resource)
    const size = this.#eventBytes.of(group, version, resource)
    return {
      signal: sink.signal,
      drained: () => sink.drained(),
      write: (bytes) => {
        count.inc()
        size.observe(bytes.length)
        return sink.write(bytes)
      },
    }
  }

  #kindOf(info: RequestInfo): Kind {
    const { verb, group, version, resource, subresource } = info
    const key = `${verb} ${group} ${version} ${resource} ${subresource} ${scopeOf(info)}`
    const known = this.#kinds.get(key)
    if (known !== undefined) return known
    if (this.#kinds.size >= KINDS_MAX) return this.#others
    const shown = own(VERBS, verb) ?? verb.toUpperCase()
    const values = [shown, group, version, resource, subresource, scopeOf(info), COMPONENT, '']
    const kind = this.#newKind(values)
    this.#kinds.set(key, kind)
    return kind
  }

  get #others(): Kind {
    this.#madeOthers ??= this.#newKind(['other', '', '', '', '', '', COMPONENT, ''])
    return this.#madeOthers
  }
  #madeOthers: Kind | undefined

  #newKind(values: readonly string[]): Kind {
    const sizes = SIZED.has(values[0]!)
      ? this.#sizes.of(...values.slice(0, WHAT.length))
      : undefined
    return { values, seconds: this.#seconds.of(...values), sizes, total: new Map() }
  }
}

/** Tells how large a document was that is written as it is read. */
function sized(body: Push, sizes: Histogram | undefined): Push {
  return {
    ...body,
    async push(sink) {
      let written = 0
      await body.push({
        signal: sink.signal,
        drained: () => sink.drained(),
        write(bytes) {
          written += bytes.length
          return sink.write(bytes)
        },
      })
      sizes?.observe(written)
    },
  }
}

/** What is looked at when somebody asks. */
type Watched = { store: Store; registry: Registry; clock: Clock; flowControl: FlowControl }
type Ended = { code: number; body?: Answer['body'] | undefined }
type Row = readonly [...string[], number]
type Level = FlowControl['levels'] extends Iterable<infer One> ? One : never

function kindOf({ verb }: RequestInfo): 'readOnly' | 'mutating' {
  return READING.has(verb) ? 'readOnly' : 'mutating'
}

function scopeOf({ isResource, namedByPath, namespace }: RequestInfo): string {
  if (!isResource) return ''
  if (namedByPath) return 'resource'
  return namespace === '' ? 'cluster' : 'namespace'
}

export async function metrics({ metrics: numbers }: { metrics: ServerMetrics }): Promise<Answer> {
  const { type, text } = await numbers.text()
  return { code: 200, headers: { 'content-type': type }, body: text }
}
