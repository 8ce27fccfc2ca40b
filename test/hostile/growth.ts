// How work grows with its input, in CPU time, so that what else the machine does changes little.

/** Four times the input may cost this much: linear work costs 4, quadratic work 16. */
const GROWTH_MAX = 9
/** Below this nobody can tell, and nobody waits. */
const CPU_MS_MIN = 20
/** Noise only ever adds: the fastest of so many runs counts. */
const ROUNDS_MAX = 8

export type Work<I> = { make: (size: number) => I; run: (input: I) => unknown; size: number }

/** Undefined when the work grows as it may; else how it grew. */
export async function excess<I>({ make, run, size }: Work<I>): Promise<string | undefined> {
  const small = make(size)
  const large = make(4 * size)
  const best = { small: Number.POSITIVE_INFINITY, large: Number.POSITIVE_INFINITY }
  for (let round = 0; round < ROUNDS_MAX; round++) {
    best.small = Math.min(best.small, await cpuMs(() => run(small)))
    best.large = Math.min(best.large, await cpuMs(() => run(large)))
    if (best.large < CPU_MS_MIN || best.large / best.small < GROWTH_MAX) return undefined
  }
  return `${best.small.toFixed(1)} ms became ${best.large.toFixed(1)} ms for four times the input`
}

async function cpuMs(run: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  try {
    await run()
  } catch {
    // To be refused is fine; to be refused late is not.
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
