// The stream of containerd's events: the only source of changes while we run.
//
//   subscribe ─► mark ─► see the mark ─► synchronise ─► events … ─► the stream ends ─► again
//
// `ctr events` does not say when it is subscribed, so we cause an event of our own (a label on our
// containerd namespace) and wait until it arrives: what happens after that is not missed, and what
// happened before is found by the synchronisation.

import { isAbort } from '../lib/abort.ts'
import { Backoff } from '../lib/backoff.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import { linesOf } from '../lib/lines.ts'
import type { Log } from '../lib/log.ts'
import { withTasks } from '../lib/tasks.ts'
import type { Containerd } from './containerd.ts'

export type ContainerdEvent = {
  readonly topic: string
  readonly atMs: number
  readonly body: {
    readonly container_id?: string
    readonly id?: string
    readonly pid?: number
    readonly exit_status?: number
    readonly exited_at?: string | { seconds: number; nanos?: number }
    readonly name?: string
    readonly labels?: Record<string, string>
  }
}

export type EventsOptions = {
  containerd: Containerd
  clock: Clock
  log: Log
  /** Called in the order of events. Must not throw. */
  onEvent: (event: ContainerdEvent) => void
  /** Called after each (re)connection, before it counts as up: brings everything up to date. */
  synchronise: (signal: AbortSignal) => Promise<void>
}

const MARK_LABEL = 'kedge.dev/seen'
/** Between marks: short at first, because the subscription is mostly there at once. */
const MARK_WAIT = { firstMs: 25, maxMs: 250 }
const MARK_MS_MAX = 20_000
const RETRY = { firstMs: 100, maxMs: 10_000 }
const FILTERS = ['/tasks/', '/images/', '/namespaces/update'].map(
  (topic) => `namespace==kedge,topic~=^${topic}`,
)

/** Follows events until `signal` aborts. Says each time that it has caught up, or has broken. */
export async function followEvents(
  options: EventsOptions,
  onState: (isUp: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = options
  const backoff = new Backoff(clock, { ...RETRY, forgetMs: 60_000 })
  while (!signal.aborted) {
    try {
      await options.containerd.ensure(signal)
      await followOnce(options, () => onState(true), signal)
    } catch (error) {
      if (signal.aborted && isAbort(error, signal)) return
      signal.throwIfAborted()
      onState(false)
      const waitMs = backoff.next('events')
      log.warn('the stream of container events broke', { error, retryInMs: waitMs })
      await clock.sleep(waitMs, signal).catch(() => {}) // An abort ends the loop above.
    }
  }
}

async function followOnce(options: EventsOptions, onUp: () => void, signal: AbortSignal) {
  let seenMark = ''
  const marked = Promise.withResolvers<void>()
  const mark = String(options.clock.nowMs())
  await withTasks(async (start) => {
    start(async (joint) => {
      const child = options.containerd.ctr.spawn(['events', ...FILTERS], joint)
      for await (const line of linesOf(child.stdout, joint)) {
        const event = parseEvent(line)
        if (event === undefined) continue
        if (event.topic === '/namespaces/update') {
          seenMark = event.body.labels?.[MARK_LABEL] ?? seenMark
          if (seenMark === mark) marked.resolve()
        } else options.onEvent(event)
      }
      joint.throwIfAborted()
      throw new Error(`ctr events ended with exit code ${await child.exited}`)
    })
    start(async (joint) => {
      await putMark(options, mark, marked.promise, joint)
      await options.synchronise(joint)
      onUp()
    })
  }, signal)
}

/** Marks again and again until the mark is seen: the first may come before the subscription. */
async function putMark(
  { containerd, clock }: EventsOptions,
  mark: string,
  seen: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const limit = timeLimit(clock, MARK_MS_MAX, signal)
  try {
    const isSeen = seen.then(() => true)
    for (let round = 0; ; round++) {
      const labels = [`${MARK_LABEL}=${mark}`, `kedge.dev/round=${round}`]
      await containerd.ctr.run(['namespaces', 'label', containerd.ctr.namespace, ...labels], signal)
      const pauseMs = Math.min(MARK_WAIT.firstMs * 2 ** round, MARK_WAIT.maxMs)
      const pause = clock.sleep(pauseMs, limit.signal).then(() => false)
      if (await Promise.race([isSeen, pause])) return
    }
  } finally {
    limit.done()
  }
}

/**
 * One line of `ctr events`: `2026-11-21 12:57:51.33 +0000 UTC kedge /tasks/exit {…}`. Undefined for
 * anything else. Pure.
 */
export function parseEvent(line: string): ContainerdEvent | undefined {
  const match = /^(\S+) (\S+) ([+-]\d{4}) \S+ (\S+) (\/\S+) (\{.*\})$/.exec(line)
  if (match === null) return undefined
  const [, day, time, zone, , topic, json] = match
  const body = parseJson(json!)
  if (body === undefined) return undefined
  return { topic: topic!, atMs: parseTime(`${day}T${time}${zone}`), body }
}

function parseJson(text: string): ContainerdEvent['body'] | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // A torn line, when ctr was killed.
  }
}

/** When the process of an exit or delete event ended; the event's own time when it does not say. */
export function exitedAtMs(event: ContainerdEvent): number {
  const time = event.body.exited_at
  if (time === undefined) return event.atMs
  if (typeof time === 'string') return parseTime(time)
  return time.seconds * 1000 + Math.floor((time.nanos ?? 0) / 1e6)
}

/** Nanoseconds are cut: not every engine's parser takes them. */
function parseTime(text: string): number {
  return Date.parse(text.replace(/(\.\d{3})\d+/, '$1').replace(/([+-]\d\d)(\d\d)$/, '$1:$2'))
}
