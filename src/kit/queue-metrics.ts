// What work queues say of themselves, under the names of client-go.

import {
  type Counter,
  exponentialBuckets,
  type Family,
  type Histogram,
  type Metrics,
} from '../lib/metrics.ts'

/** As upstream: from 10 ns on. */
const SECONDS = exponentialBuckets(1e-8, 10, 12)

/** Is told what happens in one queue. */
export interface QueueObserver {
  added(): void
  retried(): void
  /** A worker has it, after so long a wait. */
  taken(waitedSeconds: number): void
  done(workedSeconds: number): void
}

/** What is asked of a queue when somebody looks. */
export interface QueueState {
  readonly depth: number
  /** How long each of those that are being worked on has been, in seconds. */
  workingSeconds(): number[]
}

export const NOBODY: QueueObserver = { added() {}, retried() {}, taken() {}, done() {} }

/** The metrics of all queues of one process. */
export class QueueMetrics {
  readonly #adds: Family<Counter>
  readonly #retries: Family<Counter>
  readonly #waited: Family<Histogram>
  readonly #worked: Family<Histogram>
  readonly #queues = new Map<string, QueueState>()

  constructor(metrics: Metrics) {
    const labels = ['name']
    const counter = (name: string, help: string) => metrics.counter({ name, help, labels })
    const seconds = (name: string, help: string) =>
      metrics.histogram({ name, help, labels, buckets: SECONDS })
    this.#adds = counter('workqueue_adds_total', 'Keys added.')
    this.#retries = counter('workqueue_retries_total', 'Keys added again after a failure.')
    this.#waited = seconds('workqueue_queue_duration_seconds', 'Time that keys waited.')
    this.#worked = seconds('workqueue_work_duration_seconds', 'Time that passes took.')
    const now = (name: string, help: string, value: (queue: QueueState) => number) =>
      metrics.computed('gauge', { name, help, labels }, () =>
        [...this.#queues].map(([queueName, queue]) => [queueName, value(queue)]),
      )
    now('workqueue_depth', 'Keys that wait.', ({ depth }) => depth)
    now('workqueue_unfinished_work_seconds', 'Time of passes that are not over.', (queue) =>
      queue.workingSeconds().reduce((sum, one) => sum + one, 0),
    )
    now('workqueue_longest_running_processor_seconds', 'The longest of them.', (queue) =>
      Math.max(0, ...queue.workingSeconds()),
    )
  }

  /** `name` is that of the controller; `queue` is asked when somebody looks. */
  watch(name: string, queue: () => QueueState): QueueObserver {
    this.#queues.set(name, {
      get depth() {
        return queue().depth
      },
      workingSeconds: () => queue().workingSeconds(),
    })
    const [adds, retries] = [this.#adds.of(name), this.#retries.of(name)]
    const [waited, worked] = [this.#waited.of(name), this.#worked.of(name)]
    return {
      added: () => adds.inc(),
      retried: () => retries.inc(),
      taken: (seconds) => waited.observe(seconds),
      done: (seconds) => worked.observe(seconds),
    }
  }
}
