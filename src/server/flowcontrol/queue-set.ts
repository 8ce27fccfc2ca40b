// The queues of one priority level, and who is next.
//
//   flow ─► its hand of a few queues ─► the shortest of them ─► waiting ─► (next) ─► executing
//
// Which queues are a flow's own is dealt by its name, so that a flow that fills all of its queues
// leaves others with at least one that it has not. Of the queues with somebody in them the one with
// the fewest seats in use is served next: everyone's share comes out the same.

import { createHash } from 'node:crypto'

/** A request, from when it is let in or made to wait until it is over. */
export type Request = {
  /** Schema and distinguisher. */
  readonly flow: string
  readonly seats: number
  /** Called when its turn has come. */
  readonly start: () => void
}

type Queue = {
  readonly number: number
  readonly waiting: Set<Request>
  waitingSeats: number
  seatsInUse: number
  /** When it was last served, as a count. */
  servedAt: number
}

export type Queuing = { queues: number; handSize: number; queueLengthLimit: number }

/** Hands that are remembered; they are dealt the same again. */
const HANDS_MAX = 1000

export class QueueSet {
  readonly #queuing: Queuing
  /** Those that have anything to do with a request, by number: there may be millions of others. */
  readonly #queues = new Map<number, Queue>()
  readonly #salt: Uint8Array
  readonly #hands = new Map<string, readonly number[]>()
  readonly #queueOf = new Map<Request, Queue>()
  #served = 0
  waitingCount = 0

  constructor(queuing: Queuing, salt: Uint8Array) {
    this.#queuing = queuing
    this.#salt = salt
  }

  /** Puts `request` into the best queue of its flow's hand. False when that is full. */
  enqueue(request: Request): boolean {
    const queue = this.#shortest(request.flow)
    if (queue.waiting.size >= this.#queuing.queueLengthLimit) return false
    this.#queues.set(queue.number, queue)
    queue.waiting.add(request)
    queue.waitingSeats += request.seats
    this.#queueOf.set(request, queue)
    this.waitingCount++
    return true
  }

  /** For one that need not wait. */
  begin(request: Request): void {
    const queue = this.#shortest(request.flow)
    this.#queues.set(queue.number, queue)
    this.#queueOf.set(request, queue)
    queue.seatsInUse += request.seats
  }

  /** The request that is next of those that `mayStart`; it is begun. */
  next(mayStart: (request: Request) => boolean): Request | undefined {
    let best: { queue: Queue; request: Request } | undefined
    for (const queue of this.#queues.values()) {
      const [request] = queue.waiting
      if (request === undefined || !mayStart(request)) continue
      if (best === undefined || isBefore(queue, best.queue)) best = { queue, request }
    }
    if (best === undefined) return undefined
    const { queue, request } = best
    this.#take(queue, request)
    queue.seatsInUse += request.seats
    queue.servedAt = ++this.#served
    return request
  }

  /** It does not want to wait any longer. False when it does not. */
  leave(request: Request): boolean {
    const queue = this.#queueOf.get(request)
    if (queue === undefined || !queue.waiting.has(request)) return false
    this.#take(queue, request)
    this.#queueOf.delete(request)
    this.#forgetIdle(queue)
    return true
  }

  /** It has come to its end. */
  end(request: Request): void {
    const queue = this.#queueOf.get(request)
    if (queue === undefined) return
    queue.seatsInUse -= request.seats
    this.#queueOf.delete(request)
    this.#forgetIdle(queue)
  }

  #forgetIdle(queue: Queue): void {
    if (queue.waiting.size === 0 && queue.seatsInUse === 0) this.#queues.delete(queue.number)
  }

  /** One that nobody used comes after those that were served before. */
  #queue(number: number): Queue {
    const known = this.#queues.get(number)
    if (known !== undefined) return known
    const servedAt = this.#served
    return { number, waiting: new Set(), waitingSeats: 0, seatsInUse: 0, servedAt }
  }

  #take(queue: Queue, request: Request): void {
    queue.waiting.delete(request)
    queue.waitingSeats -= request.seats
    this.waitingCount--
  }

  #shortest(flow: string): Queue {
    const hand = this.#handOf(flow).map((number) => this.#queue(number))
    return hand.reduce((best, queue) => (lengthOf(queue) < lengthOf(best) ? queue : best))
  }

  #handOf(flow: string): readonly number[] {
    let hand = this.#hands.get(flow)
    if (hand === undefined) {
      const digest = createHash('sha256').update(this.#salt).update(flow).digest()
      hand = dealHand(digest.readBigUInt64LE(), this.#queuing)
      if (this.#hands.size >= HANDS_MAX) this.#hands.clear()
      this.#hands.set(flow, hand)
    }
    return hand
  }
}

const lengthOf = ({ waitingSeats, seatsInUse }: Queue) => waitingSeats + seatsInUse

function isBefore(a: Queue, b: Queue): boolean {
  return a.seatsInUse < b.seatsInUse || (a.seatsInUse === b.seatsInUse && a.servedAt < b.servedAt)
}

/** Different queues, as many as a hand holds, from the bits of `entropy`. */
export function dealHand(entropy: bigint, { queues, handSize }: Queuing): number[] {
  const hand: number[] = []
  let rest = entropy
  for (let left = queues; left > 0 && hand.length < handSize; left--) {
    let index = Number(rest % BigInt(left))
    rest /= BigInt(left)
    // The place among those that are left, as a place among all.
    for (const taken of hand.toSorted((a, b) => a - b)) if (index >= taken) index++
    hand.push(index)
  }
  return hand
}
