// Unified diffs of two texts, hunk by hunk as Python's difflib (and its Go port, which upstream
// uses) finds them: the longest common run of lines first, then the same before and after it.

const CONTEXT_LINES = 3
/** From here on, lines that are all over the text do not start a common run. */
const POPULAR_FROM_LINES = 200

type Match = { a: number; b: number; size: number }
type Change = { tag: 'equal' | 'change'; a1: number; a2: number; b1: number; b2: number }

/** Empty when the texts are equal. Without the two lines that name files. */
export function unifiedDiff(oldText: string, newText: string): string {
  const [a, b] = [linesOf(oldText), linesOf(newText)]
  return groupsOf(changesOf(a, b))
    .map((group) => hunkOf(group, a, b))
    .join('')
}

/** As difflib splits: the last line gets an end of line too. */
function linesOf(text: string): string[] {
  return text.split('\n').map((line) => `${line}\n`)
}

function hunkOf(group: readonly Change[], a: readonly string[], b: readonly string[]): string {
  const [first, last] = [group[0]!, group.at(-1)!]
  const head = `@@ -${rangeOf(first.a1, last.a2)} +${rangeOf(first.b1, last.b2)} @@\n`
  const body = group.flatMap(({ tag, a1, a2, b1, b2 }) =>
    tag === 'equal'
      ? a.slice(a1, a2).map((line) => ` ${line}`)
      : [
          ...a.slice(a1, a2).map((line) => `-${line}`),
          ...b.slice(b1, b2).map((line) => `+${line}`),
        ],
  )
  return head + body.join('')
}

function rangeOf(start: number, end: number): string {
  const length = end - start
  if (length === 1) return `${start + 1}`
  return `${length === 0 ? start : start + 1},${length}`
}

/** Changes with their context; those that are near each other stay together. */
function groupsOf(changes: readonly Change[]): Change[][] {
  if (changes.every(({ tag }) => tag === 'equal')) return []
  const groups: Change[][] = []
  let group: Change[] = []
  const lastIndex = changes.length - 1
  for (const [index, change] of changes.entries()) {
    let { a1, a2, b1, b2 } = change
    if (change.tag === 'equal') {
      if (index === 0) {
        a1 = Math.max(a1, a2 - CONTEXT_LINES)
        b1 = Math.max(b1, b2 - CONTEXT_LINES)
      } else if (index === lastIndex) {
        a2 = Math.min(a2, a1 + CONTEXT_LINES)
        b2 = Math.min(b2, b1 + CONTEXT_LINES)
      } else if (a2 - a1 > 2 * CONTEXT_LINES) {
        groups.push([...group, { ...change, a2: a1 + CONTEXT_LINES, b2: b1 + CONTEXT_LINES }])
        group = []
        a1 = a2 - CONTEXT_LINES
        b1 = b2 - CONTEXT_LINES
      }
    }
    group.push({ tag: change.tag, a1, a2, b1, b2 })
  }
  if (group.some(({ tag }) => tag === 'change')) groups.push(group)
  return groups
}

function changesOf(a: readonly string[], b: readonly string[]): Change[] {
  const changes: Change[] = []
  let [i, j] = [0, 0]
  for (const match of matchesOf(a, b)) {
    if (i < match.a || j < match.b) {
      changes.push({ tag: 'change', a1: i, a2: match.a, b1: j, b2: match.b })
    }
    i = match.a + match.size
    j = match.b + match.size
    if (match.size > 0) changes.push({ tag: 'equal', a1: match.a, a2: i, b1: match.b, b2: j })
  }
  return changes
}

function matchesOf(a: readonly string[], b: readonly string[]): Match[] {
  const places = placesOf(b)
  const found: Match[] = []
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]]
  while (open.length > 0) {
    const [a1, a2, b1, b2] = open.pop()!
    const match = longestMatch(a, b, places, { a1, a2, b1, b2 })
    if (match.size === 0) continue
    found.push(match)
    open.push([a1, match.a, b1, match.b], [match.a + match.size, a2, match.b + match.size, b2])
  }
  found.sort((x, y) => x.a - y.a || x.b - y.b)
  return [...joined(found), { a: a.length, b: b.length, size: 0 }]
}

function joined(matches: readonly Match[]): Match[] {
  const result: Match[] = []
  for (const match of matches) {
    const last = result.at(-1)
    if (last && last.a + last.size === match.a && last.b + last.size === match.b) {
      last.size += match.size
    } else result.push({ ...match })
  }
  return result
}

/** Where each line stands in `b`, without the popular ones. */
function placesOf(b: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [index, line] of b.entries()) {
    const list = places.get(line)
    if (list === undefined) places.set(line, [index])
    else list.push(index)
  }
  if (b.length >= POPULAR_FROM_LINES) {
    const countMax = Math.floor(b.length / 100) + 1
    for (const [line, list] of places) if (list.length > countMax) places.delete(line)
  }
  return places
}

type Window = { a1: number; a2: number; b1: number; b2: number }

function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  { a1, a2, b1, b2 }: Window,
): Match {
  const best: Match = { a: a1, b: b1, size: 0 }
  let lengths = new Map<number, number>()
  for (let i = a1; i < a2; i++) {
    const next = new Map<number, number>()
    for (const j of places.get(a[i]!) ?? []) {
      if (j < b1) continue
      if (j >= b2) break
      const size = (lengths.get(j - 1) ?? 0) + 1
      next.set(j, size)
      if (size > best.size) Object.assign(best, { a: i - size + 1, b: j - size + 1, size })
    }
    lengths = next
  }
  // Popular lines cannot start a run, but may make it longer.
  while (best.a > a1 && best.b > b1 && a[best.a - 1] === b[best.b - 1]) {
    best.a--
    best.b--
    best.size++
  }
  while (
    best.a + best.size < a2 &&
    best.b + best.size < b2 &&
    a[best.a + best.size] === b[best.b + best.size]
  ) {
    best.size++
  }
  return best
}
