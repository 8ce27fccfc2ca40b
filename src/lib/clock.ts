// The only door to time. Everything else is given a Clock, so that a test can own it.

export interface Clock {
  /** Wall time in ms since 1970. May jump; use it only for what people or certificates read. */
  nowMs(): number
  /** Time in ms that only grows, from an arbitrary start. Use it for every wait and time limit. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when `signal` aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void
}

/** Longest delay that the runtime's timers take; longer ones fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal)
  }

  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), TIMER_MS_MAX))
    return () => clearTimeout(timer)
  }
}

/** A clock that stands still until a test moves it. Timers fire in the order of their due time. */
export class SimClock implements Clock {
  #nowMs: number
  #timers: { dueMs: number; run: () => void }[] = []

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return sleepWith(this, ms, signal)
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(ms, 0), run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Moves time forward, running each timer that falls due and letting promises settle between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await settle()
      const next = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined || next.dueMs > endMs) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.run()
    }
    this.#nowMs = endMs
    await settle()
  }
}

/** Lets everything that is ready to run do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function sleepWith(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = () => {
      cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** A signal that aborts after `ms` or with `signal`. Call `done` when the work is over. */
export function timeLimit(clock: Clock, ms: number, signal: AbortSignal) {
  const limit = new AbortController()
  const cancel = clock.after(ms, () => limit.abort(new TimeLimitError(ms)))
  return { signal: AbortSignal.any([signal, limit.signal]), done: cancel }
}

export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError'
  constructor(limitMs: number) {
    super(`took longer than ${limitMs} ms`)
  }
}
