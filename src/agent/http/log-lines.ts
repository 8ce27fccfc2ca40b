// Log files in CRI format, one line at a time.
//
//   2016-10-06T00:17:09.669794202Z stdout F a whole line
//   2016-10-06T00:17:09.669794203Z stderr P the beginning of a line that ends in a later one

export type LogLine = {
  /** As it stands in the file. */
  time: string
  stream: 'stdout' | 'stderr'
  /** With its line end, unless the line goes on. */
  content: Uint8Array
}

export type LogFilter = {
  /** Older lines are left out. */
  sinceMs: number | undefined
  stream: 'All' | 'Stdout' | 'Stderr'
  timestamps: boolean
  /** Bytes of the answer. */
  limitBytes: number | undefined
}

const NEWLINE = 10
const SPACE = 32
/** Longer ones come in parts: runtimes cut at 16 KiB, some at 64. Then something is wrong. */
const LINE_BYTES_MAX = 4 * 1024 * 1024

/** Undefined for what is no line of this format. */
export function parseLine(line: Uint8Array): LogLine | undefined {
  const timeEnd = line.indexOf(SPACE)
  const streamEnd = line.indexOf(SPACE, timeEnd + 1)
  const tagEnd = line.indexOf(SPACE, streamEnd + 1)
  if (timeEnd < 0 || streamEnd < 0) return undefined
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  const stream = bytes.toString('latin1', timeEnd + 1, streamEnd)
  if (stream !== 'stdout' && stream !== 'stderr') return undefined
  const tag = bytes.toString('latin1', streamEnd + 1, tagEnd < 0 ? undefined : tagEnd)
  const text = tagEnd < 0 ? bytes.subarray(bytes.byteLength) : bytes.subarray(tagEnd + 1)
  const isPartial = tag.split(':')[0] === 'P'
  const content = isPartial ? text : Buffer.concat([text, Buffer.from([NEWLINE])])
  return { time: bytes.toString('latin1', 0, timeEnd), stream, content }
}

/** Turns the bytes of log files, in pieces of any size, into the bytes of an answer. */
export class LogText {
  readonly #filter: LogFilter
  #rest: Uint8Array = new Uint8Array(0)
  #leftBytes: number
  #atLineStart = true

  constructor(filter: LogFilter) {
    this.#filter = filter
    this.#leftBytes = filter.limitBytes ?? Number.POSITIVE_INFINITY
  }

  /** True when as many bytes as were asked for have been given. */
  get full(): boolean {
    return this.#leftBytes <= 0
  }

  /** A file ends with a whole line, or with one that was cut off: then the next begins anew. */
  startFile(): void {
    this.#rest = new Uint8Array(0)
  }

  add(bytes: Uint8Array): Uint8Array {
    const data = this.#rest.byteLength === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const parts: Uint8Array[] = []
    let start = 0
    while (!this.full) {
      const end = data.indexOf(NEWLINE, start)
      if (end < 0) break
      this.#line(data.subarray(start, end), parts)
      start = end + 1
    }
    // A copy, so that a short rest does not keep a large piece alive.
    this.#rest = data.slice(start)
    if (this.#rest.byteLength > LINE_BYTES_MAX) this.#rest = new Uint8Array(0)
    return Buffer.concat(parts)
  }

  #line(bytes: Uint8Array, parts: Uint8Array[]): void {
    const line = parseLine(bytes)
    if (line === undefined || !this.#isWanted(line)) return
    if (this.#filter.timestamps && this.#atLineStart)
      this.#give(Buffer.from(`${line.time} `), parts)
    this.#give(line.content, parts)
    this.#atLineStart = line.content.at(-1) === NEWLINE
  }

  #isWanted({ time, stream }: LogLine): boolean {
    const { stream: wanted, sinceMs } = this.#filter
    if (wanted !== 'All' && wanted.toLowerCase() !== stream) return false
    return sinceMs === undefined || !(Date.parse(time) < sinceMs)
  }

  #give(bytes: Uint8Array, parts: Uint8Array[]): void {
    const given = bytes.subarray(0, Math.min(bytes.byteLength, this.#leftBytes))
    this.#leftBytes -= given.byteLength
    if (given.byteLength > 0) parts.push(given)
  }
}
