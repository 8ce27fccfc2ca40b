// What the scheduler says of itself, under upstream's names.

import { exponentialBuckets, type Metrics } from '../lib/metrics.ts'

const PROFILE = 'default-scheduler'
/** As upstream: from 1 ms on. */
const SECONDS = exponentialBuckets(0.001, 2, 15)

export type Result = 'scheduled' | 'unschedulable' | 'error'
export type PendingCounts = {
  active: number
  backoff: number
  unschedulable: number
  gated: number
}

/** Returns what is to be told of attempts. `pending` is asked when somebody looks. */
export function schedulerMetrics(metrics: Metrics, pending: () => PendingCounts) {
  const labels = ['profile', 'result']
  const attempts = metrics.counter({
    name: 'scheduler_schedule_attempts_total',
    help: 'Attempts to find a node for a pod.',
    labels,
  })
  const durations = metrics.histogram({
    name: 'scheduler_scheduling_attempt_duration_seconds',
    help: 'Time that an attempt took.',
    labels,
    buckets: SECONDS,
  })
  const waiting = { name: 'scheduler_pending_pods', help: 'Pods that wait.', labels: ['queue'] }
  metrics.computed('gauge', waiting, () => Object.entries(pending()))
  const preemptions = metrics.counter({
    name: 'scheduler_preemption_attempts_total',
    help: 'Attempts to make room for a pod.',
  })
  const victims = metrics.histogram({
    name: 'scheduler_preemption_victims',
    help: 'Pods that were removed to make room for one.',
    buckets: exponentialBuckets(1, 2, 7),
  })
  return {
    attempted(result: Result, seconds: number) {
      attempts.of(PROFILE, result).inc()
      durations.of(PROFILE, result).observe(seconds)
    },
    /** `victimCount` is 0 when nobody is worth removing. */
    preempted(victimCount: number) {
      preemptions.of().inc()
      if (victimCount > 0) victims.of().observe(victimCount)
    },
  }
}
