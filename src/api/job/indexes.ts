// Indexes of Indexed Jobs as text: `0-2,5`. Kept as intervals, because there may be 100,000.

/** First and last, both included. Lists of them are sorted, and no two touch. */
export type Interval = { readonly first: number; readonly last: number }

/** The text breaks a rule. The message is upstream's. */
export class IndexesError extends Error {
  override readonly name = 'IndexesError'
}

/** How many indexes the text names, all of them below `completions`. Throws IndexesError. */
export function countIndexes(text: string, completions: number): number {
  if (text === '') return 0
  let total = 0
  let previous: number | undefined
  for (const part of text.split(',')) {
    const { first, last } = strictInterval(part, completions)
    if (previous !== undefined && previous >= first) throw notIncreasing(previous, first)
    total += last - first + 1
    previous = last
  }
  return total
}

/** The first index that both texts name; intervals that cannot be read are passed over. */
export function commonIndex(a: string, b: string, completions: number): number | undefined {
  if (a === '' || b === '') return undefined
  const [left, right] = [readable(a, completions), readable(b, completions)]
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [x, y] = [left[i]!, right[j]!]
    if (x.first <= y.last && y.first <= x.last) return Math.max(x.first, y.first)
    if (x.first <= y.first) i++
    else j++
  }
  return undefined
}

function readable(text: string, completions: number): Interval[] {
  return text.split(',').flatMap((part) => {
    try {
      return [strictInterval(part, completions)]
    } catch (error) {
      if (error instanceof IndexesError) return []
      throw error
    }
  })
}

function strictInterval(part: string, completions: number): Interval {
  const limits = part.split('-')
  if (limits.length > 2) {
    const rule = "an index interval can have at most two parts separated by '-'"
    throw new IndexesError(`the fragment ${quoted(part)} violates the requirement that ${rule}`)
  }
  const [first, last] = limits.map((limit) => strictIndex(limit, completions)) as [number, number?]
  if (last === undefined) return { first, last: first }
  if (first >= last) throw notIncreasing(first, last)
  return { first, last }
}

function strictIndex(text: string, completions: number): number {
  const index = integer(text)
  if (index === undefined) {
    throw new IndexesError(`cannot convert string to integer for index: ${quoted(text)}`)
  }
  if (index >= completions) throw new IndexesError(`too large index: ${quoted(text)}`)
  return index
}

function notIncreasing(previous: number, current: number): IndexesError {
  return new IndexesError(`non-increasing order, previous: ${previous}, current: ${current}`)
}

const quoted = (text: string) => JSON.stringify(text)

function integer(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** What the text names below `completions`; what cannot be read is passed over. */
export function parseIndexes(text: string, completions: number): Interval[] {
  const intervals: Interval[] = []
  if (text === '') return intervals
  for (const part of text.split(',')) {
    const [low = '', high] = part.split('-')
    const first = integer(low)
    if (first === undefined) continue
    if (first >= completions) break
    const end = high === undefined ? first : integer(high)
    if (end === undefined) continue
    const last = Math.min(end, completions - 1)
    const before = intervals.at(-1)
    if (before?.last === first - 1) intervals.splice(-1, 1, { first: before.first, last })
    else intervals.push({ first, last })
  }
  return intervals
}

/** Both together. */
export function mergeIndexes(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [x, y] = [a[i], b[j]]
    const takesFirst = y === undefined || (x !== undefined && x.first < y.first)
    const next = (takesFirst ? x : y)!
    if (takesFirst) i++
    else j++
    const before = merged.at(-1)
    if (before === undefined || next.first > before.last + 1) merged.push(next)
    else if (before.last < next.last) merged.splice(-1, 1, { first: before.first, last: next.last })
  }
  return merged
}

/** Single indexes, in any order and as often as they come. */
export function intervalsOf(indexes: Iterable<number>): Interval[] {
  const sorted = [...new Set(indexes)].toSorted((a, b) => a - b)
  return mergeIndexes(
    [],
    sorted.map((index) => ({ first: index, last: index })),
  )
}

export function totalOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

export function hasIndex(intervals: readonly Interval[], index: number): boolean {
  let [low, high] = [0, intervals.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (intervals[middle]!.last >= index) high = middle
    else low = middle + 1
  }
  return low < intervals.length && intervals[low]!.first <= index
}

/** `0,1,3-5`: two neighbours stay two. */
export function formatIndexes(intervals: readonly Interval[]): string {
  return intervals
    .map(({ first, last }) => {
      if (first === last) return `${first}`
      return last === first + 1 ? `${first},${last}` : `${first}-${last}`
    })
    .join(',')
}

/** How many indexes are in both. */
export function overlapOf(a: readonly Interval[], b: readonly Interval[]): number {
  let total = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i]!, b[j]!]
    total += Math.max(0, Math.min(x.last, y.last) - Math.max(x.first, y.first) + 1)
    if (x.last <= y.last) i++
    if (y.last <= x.last) j++
  }
  return total
}
