// How many requests there were and how long they took: a few additions for each request. What
// Prometheus wants to see of it is made when somebody asks.

export type Labels = Record<string, string>

/** One line of a metric, as prom-client prints it. */
export type Sample = { metricName?: string; labels: Labels; value: number }

type Series = {
  readonly labels: Labels
  readonly countByCode: Map<number, number>
  /** One for each bound, and one for what is above all of them. Not cumulative. */
  readonly buckets: number[]
  seconds: number
}

/** Series that are kept at once; more than all that is served. */
const SERIES_MAX = 4096

export class RequestTally {
  readonly #boundsSeconds: readonly number[]
  readonly #series = new Map<string, Series>()
  readonly #others: Series

  /** `others`: labels of what is counted together when there are too many series. */
  constructor(boundsSeconds: readonly number[], others: Labels) {
    this.#boundsSeconds = boundsSeconds
    this.#others = this.#newSeries(others)
  }

  /** `labelsOf` is asked the first time that `key` is seen. Seconds undefined: only counted. */
  note(key: string, labelsOf: () => Labels, code: number, seconds: number | undefined): void {
    const series = this.#seriesOf(key, labelsOf)
    series.countByCode.set(code, (series.countByCode.get(code) ?? 0) + 1)
    if (seconds === undefined) return
    let at = 0
    while (at < this.#boundsSeconds.length && seconds > this.#boundsSeconds[at]!) at++
    series.buckets[at]!++
    series.seconds += seconds
  }

  counts(): Sample[] {
    return this.#all().flatMap(({ labels, countByCode }) =>
      [...countByCode].map(([code, value]) => ({ value, labels: { ...labels, code: `${code}` } })),
    )
  }

  /** The lines of a histogram of that name. */
  durations(name: string): Sample[] {
    return this.#all().flatMap((series) => this.#durationsOf(name, series))
  }

  #durationsOf(name: string, { labels, buckets, seconds }: Series): Sample[] {
    let count = 0
    const bounds = [...this.#boundsSeconds.map(String), '+Inf']
    const lines = bounds.map((le, at) => {
      count += buckets[at]!
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
    })
    if (count === 0) return []
    return [
      ...lines,
      { metricName: `${name}_sum`, labels, value: seconds },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }

  #seriesOf(key: string, labelsOf: () => Labels): Series {
    const known = this.#series.get(key)
    if (known !== undefined) return known
    // Paths come from outside: whoever makes them up must not fill the memory.
    if (this.#series.size >= SERIES_MAX) return this.#others
    const series = this.#newSeries(labelsOf())
    this.#series.set(key, series)
    return series
  }

  #all(): Series[] {
    return [...this.#series.values(), this.#others]
  }

  #newSeries(labels: Labels): Series {
    const buckets = Array.from({ length: this.#boundsSeconds.length + 1 }, () => 0)
    return { labels, countByCode: new Map(), buckets, seconds: 0 }
  }
}
