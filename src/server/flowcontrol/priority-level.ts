// One priority level: its share of the seats, who sits on them, who waits.

import type { PriorityLevelConfiguration } from '../../api/schema/generated/types.ts'
import { QueueSet, type Queuing, type Request } from './queue-set.ts'

/** Upstream's defaults. */
const SHARES_DEFAULT = 30
const QUEUING_DEFAULT: Queuing = { queues: 64, handSize: 8, queueLengthLimit: 50 }
/** Of what a level may use by itself, one flow gets this part: the others find room at once. */
const FLOW_PART = 1 / 2

export type Share = {
  /** By its shares, of all seats. */
  nominal: number
  /** What it keeps even when others could use it. */
  guaranteed: number
  /** With all that it may borrow. */
  max: number
}

export class PriorityLevel {
  readonly name: string
  readonly isExempt: boolean
  /** Of the object that it stands for; missing before there is one. */
  uid: string | undefined
  share: Share = { nominal: 0, guaranteed: 0, max: 0 }
  seatsInUse = 0
  executingCount = 0
  readonly #queues: QueueSet | undefined
  readonly #queuing: Queuing | undefined
  readonly #seatsOfFlow = new Map<string, number>()

  constructor({ metadata, spec }: PriorityLevelConfiguration, salt: Uint8Array) {
    this.name = metadata.name ?? ''
    this.isExempt = spec.type === 'Exempt'
    this.uid = metadata.uid
    this.#queuing = queuingOf(spec)
    this.#queues = this.#queuing && new QueueSet(this.#queuing, salt)
  }

  /** Whether it is as `configuration` says, but for its share; then it stands for that. */
  takesOver({ metadata, spec }: PriorityLevelConfiguration): boolean {
    const isSame =
      this.isExempt === (spec.type === 'Exempt') && Bun.deepEquals(this.#queuing, queuingOf(spec))
    if (isSame) this.uid = metadata.uid
    return isSame
  }

  get waitingCount(): number {
    return this.#queues?.waitingCount ?? 0
  }

  /** Has it less than is its own? Those come first when a seat becomes free. */
  get isShort(): boolean {
    return this.seatsInUse < this.share.nominal
  }

  /** What it uses beyond what is kept for it. */
  get borrowed(): number {
    return Math.max(0, this.seatsInUse - this.share.guaranteed)
  }

  /** Would `seats` more be within the level's limit, when so many are free for all? */
  hasRoom(seats: number, free: number): boolean {
    if (this.isExempt) return true
    const inUse = this.seatsInUse + seats
    const more = Math.max(0, inUse - this.share.guaranteed) - this.borrowed
    return inUse <= this.share.max && more <= free
  }

  /** A flow with nothing under way always may. */
  isFair({ flow, seats }: Request): boolean {
    const own = this.#seatsOfFlow.get(flow) ?? 0
    return own === 0 || own + seats <= Math.ceil(this.share.nominal * FLOW_PART)
  }

  begin(request: Request): void {
    this.#queues?.begin(request)
    this.#seat(request)
  }

  /** False when there is no queue, or it is full. */
  enqueue(request: Request): boolean {
    return this.#queues?.enqueue(request) ?? false
  }

  /** Begins the next of those that wait, when there is room. */
  startNext(free: number): boolean {
    const request = this.#queues?.next((one) => this.hasRoom(one.seats, free) && this.isFair(one))
    if (request === undefined) return false
    this.#seat(request)
    request.start()
    return true
  }

  leave(request: Request): boolean {
    return this.#queues?.leave(request) ?? false
  }

  end(request: Request): void {
    this.#queues?.end(request)
    this.seatsInUse -= request.seats
    this.executingCount--
    const own = (this.#seatsOfFlow.get(request.flow) ?? 0) - request.seats
    if (own <= 0) this.#seatsOfFlow.delete(request.flow)
    else this.#seatsOfFlow.set(request.flow, own)
  }

  #seat({ flow, seats }: Request): void {
    this.seatsInUse += seats
    this.executingCount++
    this.#seatsOfFlow.set(flow, (this.#seatsOfFlow.get(flow) ?? 0) + seats)
  }
}

function queuingOf({ type, limited }: PriorityLevelConfiguration['spec']): Queuing | undefined {
  const response = limited?.limitResponse
  if (type === 'Exempt' || response?.type !== 'Queue') return undefined
  return { ...QUEUING_DEFAULT, ...response.queuing }
}

/** The shares of `seats`, by what the levels ask for. */
export function sharesOf(
  configurations: readonly PriorityLevelConfiguration[],
  seats: number,
): Map<string, Share> {
  const asked = configurations.map(({ metadata, spec: { limited, exempt, type } }) => ({
    name: metadata.name ?? '',
    shares:
      (limited ?? exempt)?.nominalConcurrencyShares ?? (type === 'Exempt' ? 0 : SHARES_DEFAULT),
    lendable: (limited ?? exempt)?.lendablePercent ?? 0,
    borrowing: limited?.borrowingLimitPercent,
  }))
  const all = asked.reduce((sum, { shares }) => sum + shares, 0)
  return new Map(
    asked.map(({ name, shares, lendable, borrowing }) => {
      const nominal = all === 0 ? 0 : Math.ceil((seats * shares) / all)
      const guaranteed = nominal - Math.round((nominal * lendable) / 100)
      const more = borrowing === undefined ? seats : Math.round((nominal * borrowing) / 100)
      return [name, { nominal, guaranteed, max: nominal + more }]
    }),
  )
}
