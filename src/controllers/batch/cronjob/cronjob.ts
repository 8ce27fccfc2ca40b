// Makes Jobs on a schedule. Decides nothing itself: see README.md.

import { cronJobs } from '../../../api/kinds/batch/cronjob/row.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import { controllerOf, keyOf } from '../../../api/object.ts'
import type { CronJob, CronJobStatus, Job } from '../../../api/schema/generated/types.ts'
import { isAlreadyExists, isNotFound } from '../../../api/status.ts'
import { formatTime } from '../../../api/time.ts'
import { type Controller, defineController, type Kit } from '../../../kit/controller.ts'
import { isNamespaceTerminating, messageOf } from '../../failures.ts'
import { isLastRunAhead } from './due.ts'
import { draftJob, planHistory, planRun, planStatus, type Said, withActive } from './plan.ts'

/** The schedule that a CronJob was last seen to have, and since when. */
type Seen = { uid: string; schedule: string; sinceMs: number }

export function cronJobController(): Controller<CronJob> {
  const seen = new Map<string, Seen>()
  return defineController<CronJob>({
    name: 'cronjob-controller',
    reconciles: cronJobs,
    owns: [jobs],

    async reconcile(cronJob, kit, signal) {
      const nowMs = kit.clock.nowMs()
      const sinceMs = noteSchedule(seen, cronJob, nowMs)
      const pass = new Pass(cronJob, kit, signal)
      const own = await pass.trimHistory(kit.list(jobs).ownedBy(cronJob))
      await pass.lookAtJobs(own)
      const plan = planRun(cronJob, pass.status, { nowMs, sinceMs })
      pass.say(plan.says)
      try {
        if (plan.runAtMs !== undefined) await pass.start(plan.runAtMs, plan.replaces ?? false)
      } finally {
        await kit.writer.putStatus(cronJobs, cronJob, pass.status, signal)
      }
      const { lookAgainInMs } = plan
      if (lookAgainInMs !== undefined) return { requeueInMs: lookAgainInMs }
    },

    async reconcileGone(key) {
      seen.delete(key)
    },
  })
}

/** Since when its schedule counts; one that is seen for the first time counts from its last run. */
function noteSchedule(seen: Map<string, Seen>, cronJob: CronJob, nowMs: number): number {
  const key = keyOf(cronJob)
  const { uid = '' } = cronJob.metadata
  const isAhead = isLastRunAhead(cronJob, nowMs)
  const schedule = `${isAhead} ${cronJob.spec.timeZone ?? ''} ${cronJob.spec.schedule}`
  const before = seen.get(key)
  if (before?.uid === uid && before.schedule === schedule) return before.sinceMs
  const sinceMs = before?.uid === uid || isAhead ? nowMs : -Infinity
  seen.set(key, { uid, schedule, sinceMs })
  return sinceMs
}

/** One pass: what it does to Jobs, and the status it comes to. */
class Pass {
  readonly #cronJob: CronJob
  readonly #kit: Kit
  readonly #signal: AbortSignal
  status: CronJobStatus

  constructor(cronJob: CronJob, kit: Kit, signal: AbortSignal) {
    this.#cronJob = cronJob
    this.#kit = kit
    this.#signal = signal
    this.status = cronJob.status ?? {}
  }

  say(all: readonly Said[]): void {
    const { events } = this.#kit
    for (const { isWarning, reason, message } of all) {
      const tell = isWarning ? events.warning : events.normal
      tell(this.#about, reason, message)
    }
  }

  get #about() {
    return { row: cronJobs, object: this.#cronJob }
  }

  /** Returns the Jobs that stay. */
  async trimHistory(own: readonly Job[]): Promise<Job[]> {
    const gone = new Set<Job>()
    for (const job of planHistory(this.#cronJob, own)) {
      if (job.metadata.deletionTimestamp !== undefined) continue
      if (await this.#remove(job)) gone.add(job)
    }
    return own.filter((job) => !gone.has(job))
  }

  async lookAtJobs(own: readonly Job[]): Promise<void> {
    const known = new Set(own.map(({ metadata }) => metadata.uid ?? ''))
    const missing = new Set<string>()
    for (const { name = '', uid = '' } of this.status.active ?? []) {
      if (known.has(uid)) continue
      // The cache of Jobs may be behind that of CronJobs.
      if ((await this.#get(name)) === undefined) missing.add(uid)
    }
    const before = { ...this.#cronJob, status: this.status }
    const { status, says } = planStatus(before, own, (uid) => missing.has(uid))
    this.status = status
    this.say(says)
  }

  async start(atMs: number, replaces: boolean): Promise<void> {
    if (replaces) for (const { name = '' } of this.status.active ?? []) await this.#replace(name)
    const job = await this.#create(draftJob(this.#cronJob, atMs))
    if (job === undefined) return
    const { namespace = '', name = '', uid = '', resourceVersion = '' } = job.metadata
    const reference = { kind: 'Job', namespace, name, uid, apiVersion: 'batch/v1', resourceVersion }
    this.status = withActive(this.status, [...(this.status.active ?? []), reference])
    this.status.lastScheduleTime = formatTime(atMs)
  }

  /** The Job of that time; undefined when it is none of ours, or in the list already. */
  async #create(draft: Job): Promise<Job | undefined> {
    const { writer, events } = this.#kit
    try {
      const job = await writer.create(jobs, draft, this.#signal)
      events.normal(this.#about, 'SuccessfulCreate', `Created job ${job.metadata.name}`)
      return job
    } catch (error) {
      if (isNamespaceTerminating(error)) throw error
      if (isAlreadyExists(error)) return this.#made(draft.metadata.name ?? '')
      if (!this.#signal.aborted) {
        const message = `Error creating job: ${messageOf(error)}`
        events.warning(this.#about, 'FailedCreate', message)
      }
      throw error
    }
  }

  /** We made it before we could say so. */
  async #made(name: string): Promise<Job | undefined> {
    const job = await this.#get(name)
    const owner = job && controllerOf(job)
    if (owner?.uid !== this.#cronJob.metadata.uid) return undefined
    const isListed = this.status.active?.some(({ uid }) => uid === job?.metadata.uid)
    return isListed ? undefined : job
  }

  async #replace(name: string): Promise<void> {
    const job = await this.#get(name)
    if (job === undefined) {
      const message = `Get job: jobs.batch ${JSON.stringify(name)} not found`
      this.#kit.events.warning(this.#about, 'FailedGet', message)
      throw new Error(message)
    }
    if (await this.#remove(job)) return
    throw new Error(`could not replace job ${job.metadata.namespace}/${name}`)
  }

  async #remove(job: Job): Promise<boolean> {
    const { writer, events } = this.#kit
    try {
      await writer.remove(jobs, job, { propagationPolicy: 'Background' }, this.#signal)
    } catch (error) {
      if (this.#signal.aborted) throw error
      events.warning(this.#about, 'FailedDelete', `Deleted job: ${messageOf(error)}`)
      return false
    }
    const { name, uid } = job.metadata
    const active = (this.status.active ?? []).filter((one) => one.uid !== uid)
    this.status = withActive(this.status, active)
    events.normal(this.#about, 'SuccessfulDelete', `Deleted job ${name}`)
    return true
  }

  async #get(name: string): Promise<Job | undefined> {
    const where = { namespace: this.#cronJob.metadata.namespace, name }
    return this.#kit.client.get(jobs, where, this.#signal).catch((error) => {
      if (isNotFound(error)) return undefined
      throw error
    })
  }
}
