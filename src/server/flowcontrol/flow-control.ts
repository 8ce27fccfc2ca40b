// Priority and fairness: every request finds the FlowSchema that it falls under, and is carried out
// on seats of that schema's priority level. When there are none it waits its turn, for a while.
//
//   request ─► schema ─► level ─┬─ exempt ──────────────────────────────► carried out
//                               ├─ seats free, nobody before it ────────► carried out
//                               ├─ queue ─► its turn within 15 s ───────► carried out
//                               └─ no queue, or it is full, or too late ► 429
//
// A level that does not use its seats lends a part of them. A borrower gives a seat back when the
// request on it is over; until then the lender's requests wait, and are the first to be served.

import { bootstrapFlows, type Flows } from '../../api/kinds/flowcontrol/bootstrap.ts'
import type { UserInfo } from '../../api/resource.ts'
import type { PriorityLevelConfiguration } from '../../api/schema/generated/types.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import type { RequestInfo } from '../request/request-info.ts'
import { tooManyRequests } from '../response/errors.ts'
import { Classifier } from './classify.ts'
import { PriorityLevel, type Share, sharesOf } from './priority-level.ts'
import type { Request } from './queue-set.ts'

/** Upstream's: 400 requests that read and 200 that write. */
const SEATS = 600
/** As upstream: a quarter of what a request may take in all. */
const WAIT_MS_MAX = 15_000
const RETRY_AFTER_SECONDS = 1
/** Of a level's seats, what one request takes at most. */
const REQUEST_PART = 0.15

export type FlowControlOptions = {
  clock: Clock
  random: Random
  /** Default: 600. */
  seats?: number | undefined
  observer: FlowObserver
}

/** Is told what becomes of requests. */
export interface FlowObserver {
  dispatched(where: Where, waitSeconds: number): void
  rejected(where: Where, reason: RejectReason, waitSeconds: number): void
}
export type Where = { readonly schema: string; readonly level: string }
export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled'

/** A place that was found. */
export type Place = {
  /** Gives it back; a second time does nothing. */
  leave(): void
}

/** Where a request belongs. */
export type Flow = {
  readonly where: Where
  readonly level: PriorityLevel
  /** Schema and distinguisher. */
  readonly name: string
  /** Of the objects that say so, for the answer; missing before there are objects. */
  readonly schemaUid: string | undefined
  readonly levelUid: string | undefined
}

/** What is asked for; `seats` and `gone` are only looked at when they count. */
export type Entering = {
  seats: () => number
  /** Aborts when the caller is gone. */
  gone: () => AbortSignal
}

export class FlowControl {
  readonly #options: FlowControlOptions
  readonly #seats: number
  #classifier = new Classifier([])
  #levels = new Map<string, PriorityLevel>()
  /** Those of earlier configurations, until the last request of each is over. */
  readonly #ending = new Set<PriorityLevel>()
  /** Seats that are nobody's own: what all levels lend. */
  #lent = 0

  constructor(options: FlowControlOptions, configuration = bootstrapFlows()) {
    this.#options = options
    this.#seats = options.seats ?? SEATS
    this.configure(configuration)
  }

  /** Takes over from now on; what is under way stays where it is until its end. */
  configure({ flowschemas, prioritylevelconfigurations }: Flows): void {
    this.#classifier = new Classifier(flowschemas)
    const shares = sharesOf(prioritylevelconfigurations, this.#seats)
    const before = new Set(this.#levels.values())
    this.#levels = new Map(
      prioritylevelconfigurations.map((configuration) => {
        const level = this.#levelFor(configuration)
        level.share = shares.get(level.name)!
        before.delete(level)
        return [level.name, level]
      }),
    )
    for (const level of before) if (!isIdle(level)) this.#ending.add(level)
    const lendable = ({ nominal, guaranteed }: Share) => nominal - guaranteed
    this.#lent = [...shares.values()].reduce((sum, share) => sum + lendable(share), 0)
  }

  /** The one that stands there goes on when only its share changes. */
  #levelFor(configuration: PriorityLevelConfiguration): PriorityLevel {
    const known = this.#levels.get(configuration.metadata.name ?? '')
    if (known?.takesOver(configuration)) return known
    return new PriorityLevel(configuration, this.#options.random.bytes(16))
  }

  get levels(): Iterable<PriorityLevel> {
    return this.#levels.values()
  }

  /** Undefined only when a configuration has nothing for it, which mandatory objects rule out. */
  find(info: RequestInfo, user: UserInfo): Flow | undefined {
    const found = this.#classifier.classify(info, user)
    const { metadata, spec } = found?.schema ?? {}
    const level = this.#levels.get(spec?.priorityLevelConfiguration.name ?? '')
    if (found === undefined || level === undefined) return undefined
    const schema = metadata?.name ?? ''
    return {
      where: { schema, level: level.name },
      level,
      name: `${schema} ${found.distinguisher}`,
      schemaUid: metadata?.uid,
      levelUid: level.uid,
    }
  }

  /** At once when there is room. Throws 429, or rejects with it. */
  enter(found: Flow | undefined, entering: Entering): Place | Promise<Place> {
    if (found === undefined) throw full()
    const { level, where } = found
    const { promise, resolve } = Promise.withResolvers<void>()
    const request: Request = {
      flow: found.name,
      seats: level.isExempt ? 1 : this.#seatsFor(level, entering),
      start: resolve,
    }
    const place = placeOf(() => this.#end(level, request))
    if (this.#mayBegin(level, request)) {
      level.begin(request)
      this.#options.observer.dispatched(where, 0)
      return place
    }
    if (!level.enqueue(request)) {
      const reason = level.waitingCount > 0 ? 'queue-full' : 'concurrency-limit'
      this.#options.observer.rejected(where, reason, 0)
      throw full()
    }
    // Those before it may wait for a share of their own, which is no reason for this one to wait.
    this.#dispatch()
    return this.#waitFor(promise, { level, request, where, gone: entering.gone() }).then(
      () => place,
    )
  }

  #mayBegin(level: PriorityLevel, request: Request): boolean {
    if (level.isExempt) return true
    const isFirst = level.waitingCount === 0
    return isFirst && level.hasRoom(request.seats, this.#free()) && level.isFair(request)
  }

  #seatsFor({ share }: PriorityLevel, { seats }: Entering): number {
    const most = Math.max(1, Math.floor(share.nominal * REQUEST_PART))
    return Math.min(seats(), most)
  }

  /** Seats that are lent by somebody and used by nobody. */
  #free(): number {
    let free = this.#lent
    for (const level of this.#levels.values()) if (!level.isExempt) free -= level.borrowed
    for (const level of this.#ending) if (!level.isExempt) free -= level.borrowed
    return free
  }

  async #waitFor(turn: Promise<void>, { level, request, where, gone }: Waiting): Promise<void> {
    const { clock, observer } = this.#options
    const startedMs = clock.monotonicMs()
    const given = Promise.withResolvers<RejectReason>()
    const cancel = clock.after(WAIT_MS_MAX, () => given.resolve('time-out'))
    const onGone = () => given.resolve('cancelled')
    if (gone.aborted) onGone()
    gone.addEventListener('abort', onGone, { once: true })
    const reason = await Promise.race([turn.then(() => undefined), given.promise])
    cancel()
    gone.removeEventListener('abort', onGone)
    const waitSeconds = (clock.monotonicMs() - startedMs) / 1000
    if (reason === undefined || !level.leave(request)) {
      observer.dispatched(where, waitSeconds)
      return
    }
    observer.rejected(where, reason, waitSeconds)
    // What it stood in the way of may go on.
    this.#dispatch()
    throw full()
  }

  #end(level: PriorityLevel, request: Request): void {
    level.end(request)
    if (isIdle(level)) this.#ending.delete(level)
    this.#dispatch()
  }

  /** Those that have less than their own come first. */
  #dispatch(): void {
    const all = [...this.#ending, ...this.#levels.values()]
    const waiting = all.filter(({ waitingCount }) => waitingCount > 0)
    for (const level of waiting) {
      while (level.waitingCount > 0 && level.isShort && level.startNext(this.#free()));
    }
    for (const level of waiting) {
      while (level.waitingCount > 0 && level.startNext(this.#free()));
    }
  }
}

const isIdle = ({ executingCount, waitingCount }: PriorityLevel) =>
  executingCount === 0 && waitingCount === 0

type Waiting = { level: PriorityLevel; request: Request; where: Where; gone: AbortSignal }

function placeOf(end: () => void): Place {
  let isLeft = false
  return {
    leave() {
      if (isLeft) return
      isLeft = true
      end()
    },
  }
}

function full() {
  const message = 'Too many requests, please try again later.'
  return tooManyRequests(message, RETRY_AFTER_SECONDS)
}
