// The log format of the container runtime interface, which every log collector reads:
//
//   2026-11-21T13:15:02.123000000Z stdout F the whole line
//   2026-11-21T13:15:02.123000001Z stderr P the first part of a line
//
// P marks a part that another record of the same stream continues; F ends a line.

export type StreamName = 'stdout' | 'stderr'

/** Longer lines are cut into parts, as container runtimes do. */
const LINE_BYTES_MAX = 16 * 1024
const NEWLINE = 10
const NANOS_IN_MS = 1_000_000

/** Turns wall time in ms into growing RFC 3339 times with nanoseconds: no two records are equal. */
export class Timestamps {
  #lastMs = 0
  #count = 0
  #second = -1
  #secondText = ''

  next(nowMs: number): string {
    // Times within one log never go back, even if the clock of a small machine is set.
    if (nowMs > this.#lastMs) {
      this.#lastMs = nowMs
      this.#count = 0
    } else this.#count = Math.min(this.#count + 1, NANOS_IN_MS - 1)
    const second = Math.floor(this.#lastMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 19)
    }
    const nanos = Math.floor(this.#lastMs % 1000) * NANOS_IN_MS + this.#count
    return `${this.#secondText}.${String(nanos).padStart(9, '0')}Z`
  }
}

/** One stream of one container, as records. Keeps at most one unfinished line. */
export class CriEncoder {
  readonly #stream: StreamName
  readonly #times: Timestamps
  #rest: Uint8Array = new Uint8Array()

  constructor(stream: StreamName, times: Timestamps) {
    this.#stream = stream
    this.#times = times
  }

  /** True when text is held back because its line is not complete. */
  get hasRest(): boolean {
    return this.#rest.length > 0
  }

  /** Records of all lines that `chunk` completes, and of parts that are too long to wait. */
  push(chunk: Uint8Array, nowMs: number): Uint8Array {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const records: Uint8Array[] = []
    let at = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, at)
      const length = (end < 0 ? bytes.length : end) - at
      if (length > LINE_BYTES_MAX) {
        this.#add(records, 'P', bytes.subarray(at, at + LINE_BYTES_MAX), nowMs)
        at += LINE_BYTES_MAX
      } else if (end >= 0) {
        this.#add(records, 'F', bytes.subarray(at, end), nowMs)
        at = end + 1
      } else break
    }
    // A copy: a small rest must not keep a large chunk alive.
    this.#rest = bytes.slice(at)
    return Buffer.concat(records)
  }

  /**
   * The unfinished line as a part: so that it is on disk while its program thinks, and at the end
   * of the stream, where it stays a part, because no line break ever came.
   */
  flush(nowMs: number): Uint8Array {
    if (this.#rest.length === 0) return new Uint8Array()
    const records: Uint8Array[] = []
    this.#add(records, 'P', this.#rest, nowMs)
    this.#rest = new Uint8Array()
    return Buffer.concat(records)
  }

  #add(records: Uint8Array[], tag: 'P' | 'F', content: Uint8Array, nowMs: number): void {
    const head = `${this.#times.next(nowMs)} ${this.#stream} ${tag} `
    records.push(Buffer.from(head), content, LINE_END)
  }
}

const LINE_END = Buffer.from('\n')
