// Events for people: written in the background, merged and limited, dropped rather than waited for.

import { events } from '../api/kinds/events/event/row.ts'
import type { KubeObject } from '../api/object.ts'
import { type AnyRow, groupVersionOf } from '../api/resource.ts'
import type { Event, ObjectReference } from '../api/schema/generated/types.ts'
import { ApiError, isNotFound } from '../api/status.ts'
import { formatTime } from '../api/time.ts'
import type { Clock } from '../lib/clock.ts'
import type { Component, Running } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import type { Client } from './client.ts'
import { EventCorrelator } from './event-correlator.ts'

/** Says what happened to an object. Never throws and never waits. */
export interface Recorder {
  normal(about: About, reason: string, message: string): void
  warning(about: About, reason: string, message: string): void
}

/** `fieldPath` names a part: `spec.containers{web}`. */
export type About = { row: AnyRow; object: KubeObject; fieldPath?: string }

export type EventDeps = { client: Client; clock: Clock; log: Log }

/** More than this waiting means that the server is away; the newest are then dropped. */
const WAITING_MAX = 1000
/** As upstream: an event that cannot be written is tried 12 times, 10 s apart. */
const TRIES_MAX = 12
const RETRY_MS = 10_000

export class EventSink implements Component {
  readonly name = 'events'
  readonly #deps: EventDeps
  readonly #correlator = new EventCorrelator()
  readonly #waiting: Event[] = []
  #wake: () => void = () => {}
  #lastNameNs = 0n

  constructor(deps: EventDeps) {
    this.#deps = deps
  }

  /** `component` is who speaks; `host` is the node it speaks from, for agents. */
  recorder(component: string, host?: string): Recorder {
    const record = (type: string) => (about: About, reason: string, message: string) =>
      this.#add(
        this.#draft({ component, ...(host ? { host } : {}) }, about, { type, reason, message }),
      )
    return { normal: record('Normal'), warning: record('Warning') }
  }

  start(signal: AbortSignal): Promise<Running> {
    return Promise.resolve({ done: this.#run(signal) })
  }

  /** Nothing waits to be written. */
  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  #add(event: Event): void {
    if (this.#waiting.length >= WAITING_MAX) {
      const { reason } = event
      this.#deps.log.warn('event dropped: too many wait', { reason })
      return
    }
    this.#waiting.push(event)
    this.#wake()
  }

  #draft(
    source: { component: string; host?: string },
    { row, object, fieldPath }: About,
    text: { type: string; reason: string; message: string },
  ): Event {
    const nowMs = this.#deps.clock.nowMs()
    // Names carry a time in ns; our clock counts ms, so the rest is a running number.
    const nowNs = BigInt(Math.floor(nowMs)) * 1_000_000n
    this.#lastNameNs = nowNs > this.#lastNameNs ? nowNs : this.#lastNameNs + 1n
    const time = formatTime(nowMs)
    const involvedObject = referenceTo(row, object)
    return {
      metadata: {
        name: `${involvedObject.name}.${this.#lastNameNs.toString(16)}`,
        namespace: involvedObject.namespace ?? 'default',
      },
      involvedObject: fieldPath === undefined ? involvedObject : { ...involvedObject, fieldPath },
      ...text,
      source,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      reportingComponent: source.component,
      reportingInstance: source.host ?? '',
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort, { once: true })
    while (!signal.aborted) {
      const event = this.#waiting[0]
      if (event === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wake = resolve
        await promise
        continue
      }
      await this.#write(event, signal)
      this.#waiting.shift()
    }
  }

  async #write(draft: Event, signal: AbortSignal): Promise<void> {
    const decision = this.#correlator.decide(draft, this.#deps.clock.nowMs())
    if (decision.do === 'drop') return
    for (let tries = 1; tries <= TRIES_MAX && !signal.aborted; tries++) {
      try {
        const stored = await this.#send(decision, signal)
        this.#correlator.wrote(decision.key, stored)
        return
      } catch (error) {
        if (signal.aborted) return
        const { reason } = draft
        if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
          // Refused for what it is; upstream drops it too. Most often its namespace is going.
          this.#deps.log.debug('event refused', { reason, error })
          return
        }
        this.#deps.log.debug('write event failed', { reason, tries, error })
        await this.#deps.clock.sleep(RETRY_MS, signal).catch(() => {})
      }
    }
  }

  async #send(decision: { do: 'create' | 'count'; event: Event }, signal: AbortSignal) {
    const { event } = decision
    const { client } = this.#deps
    if (decision.do === 'create') return client.create(events, event, signal)
    const { namespace, name = '' } = event.metadata
    const { count = 1, lastTimestamp, message } = event
    const body = { count, lastTimestamp, message }
    try {
      return await client.patch(events, { namespace, name }, { type: 'merge', body }, signal)
    } catch (error) {
      // Events live for an hour only; this one has to be told anew.
      if (!isNotFound(error)) throw error
      return client.create(events, event, signal)
    }
  }
}

/** As events and bindings name an object. */
function referenceTo(row: AnyRow, { metadata }: KubeObject): ObjectReference {
  const { namespace, name = '', uid, resourceVersion } = metadata
  return {
    kind: row.kind,
    ...(namespace ? { namespace } : {}),
    name,
    ...(uid ? { uid } : {}),
    apiVersion: groupVersionOf(row),
    ...(resourceVersion ? { resourceVersion } : {}),
  }
}
