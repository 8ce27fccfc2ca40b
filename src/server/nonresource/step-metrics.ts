// How long the steps of a request take and how they end, under upstream's names: authentication,
// authorization, admission, the store.

import type { UserInfo } from '../../api/resource.ts'
import {
  type Counter,
  exponentialBuckets,
  type Family,
  type Histogram,
  type Metrics,
  REQUEST_SECONDS,
} from '../../lib/metrics.ts'
import type { AdmissionObserver, Operation, Step, Timed } from '../admission/chain.ts'
import type { EvaluationOf, PolicyObserver } from '../admission/podsecurity/evaluation.ts'
import type { DecisionObserver } from '../authz/authorizer.ts'
import type { StoreObserver, StoreOperation } from '../storage/measured-store.ts'

/** Upstream's bounds. */
const STEP_SECONDS = exponentialBuckets(0.001, 2, 15)
const ADMISSION_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5]
/** Users that upstream counts by name; there are too many others. */
const COUNTED_USERS = new Set(['admin', 'client', 'kube_proxy', 'kubelet'])

type Result = { count: Counter; seconds: Histogram }

export class StepMetrics
  implements AdmissionObserver, DecisionObserver, PolicyObserver, StoreObserver
{
  readonly #authenticated: Result
  readonly #unauthenticated: Result
  readonly #allowed: Result
  readonly #denied: Result
  readonly #users: Family<Counter>
  readonly #decisions: Family<Counter>
  readonly #steps: Family<Histogram>
  readonly #plugins: Family<Histogram>
  readonly #evaluations: Family<Counter>
  readonly #exemptions: Family<Counter>
  readonly #storeTotal: Family<Counter>
  readonly #storeSeconds: Family<Histogram>

  constructor(metrics: Metrics) {
    const counter = (name: string, help: string, labels: readonly string[]) =>
      metrics.counter({ name, help, labels })
    const seconds = (
      name: string,
      help: string,
      labels: readonly string[],
      buckets: readonly number[],
    ) => metrics.histogram({ name, help, labels, buckets })
    const result = (total: string, duration: string, what: string) => {
      const counts = counter(total, `${what} attempts.`, ['result'])
      const times = seconds(duration, `Time of ${what.toLowerCase()}.`, ['result'], STEP_SECONDS)
      return (value: string): Result => ({ count: counts.of(value), seconds: times.of(value) })
    }
    const [attempts, duration] = ['authentication_attempts', 'authentication_duration_seconds']
    const authentication = result(attempts!, duration!, 'Authentication')
    this.#authenticated = authentication('success')
    this.#unauthenticated = authentication('error')
    const [asked, took] = ['authorization_attempts_total', 'authorization_duration_seconds']
    const authorization = result(asked!, took!, 'Authorization')
    this.#allowed = authorization('allowed')
    this.#denied = authorization('no-opinion')
    this.#users = counter('authenticated_user_requests', 'Requests by user.', ['username'])
    this.#decisions = counter(
      'apiserver_authorization_decisions_total',
      'Decisions by the authorizer that made them.',
      ['type', 'name', 'decision'],
    )
    const step = ['type', 'operation', 'rejected']
    const admission = (what: string, help: string, labels: readonly string[]) =>
      seconds(`apiserver_admission_${what}_duration_seconds`, help, labels, ADMISSION_SECONDS)
    this.#steps = admission('step_admission', 'Time of all plug-ins.', step)
    this.#plugins = admission('controller_admission', 'Time of a plug-in.', ['name', ...step])
    const request = ['request_operation', 'resource', 'subresource']
    this.#evaluations = counter('pod_security_evaluations_total', 'Evaluations of policies.', [
      ...['decision', 'policy_level', 'policy_version', 'mode'],
      ...request,
    ])
    this.#exemptions = counter('pod_security_exemptions_total', 'Exempt requests.', request)
    const kind = ['operation', 'group', 'resource']
    this.#storeTotal = counter('etcd_requests_total', 'Requests to the store.', kind)
    const storeTime = 'etcd_request_duration_seconds'
    this.#storeSeconds = seconds(storeTime, 'Time of them.', kind, REQUEST_SECONDS)
  }

  /** `user` is undefined when whoever asked was refused. */
  authenticated(user: UserInfo | undefined, tookSeconds: number): void {
    const { count, seconds } = user === undefined ? this.#unauthenticated : this.#authenticated
    count.inc()
    seconds.observe(tookSeconds)
    if (user !== undefined) this.#users.of(shownUser(user.username)).inc()
  }

  authorized(isAllowed: boolean, tookSeconds: number): void {
    const { count, seconds } = isAllowed ? this.#allowed : this.#denied
    count.inc()
    seconds.observe(tookSeconds)
  }

  decided(authorizer: string, isAllowed: boolean): void {
    this.#decisions.of(authorizer, authorizer.toLowerCase(), isAllowed ? 'allowed' : 'denied').inc()
  }

  step(step: Step, operation: Operation): Timed {
    return timed((rejected) => this.#steps.of(step, operation, rejected))
  }

  plugin(name: string, step: Step, operation: Operation): Timed {
    return timed((rejected) => this.#plugins.of(name, step, operation, rejected))
  }

  evaluated({ decision, level, version, mode }: EvaluationOf, request: readonly string[]): void {
    this.#evaluations.of(decision, level, version, mode, ...request).inc()
  }

  exempted(request: readonly string[]): void {
    this.#exemptions.of(...request).inc()
  }

  stored(operation: StoreOperation, group: string, resource: string): (seconds: number) => void {
    const count = this.#storeTotal.of(operation, group, resource)
    const took = this.#storeSeconds.of(operation, group, resource)
    return (seconds) => {
      count.inc()
      took.observe(seconds)
    }
  }
}

/** The series are looked up once, not for each write. */
function timed(seriesOf: (rejected: string) => Histogram): Timed {
  const [passed, refused] = [seriesOf('false'), seriesOf('true')]
  return (seconds, isRejected) => (isRejected ? refused : passed).observe(seconds)
}

function shownUser(name: string): string {
  if (COUNTED_USERS.has(name) || name === 'system:serviceaccount:kube-system:default') return name
  return name.includes('@') ? 'email_id' : 'other'
}
