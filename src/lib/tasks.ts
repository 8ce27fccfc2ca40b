// A group of tasks: the first failure aborts the rest, and nothing outlives the group.

/** Runs `body` with a way to start tasks; returns when all have ended; throws the first failure. */
export async function withTasks(
  body: (start: (task: (signal: AbortSignal) => Promise<void>) => void) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController()
  const joint = AbortSignal.any([signal, stop.signal])
  const failures: unknown[] = []
  const running = new Set<Promise<void>>()
  const fail = (error: unknown) => {
    failures.push(error)
    stop.abort(error)
  }
  const start = (task: (signal: AbortSignal) => Promise<void>) => {
    const promise: Promise<void> = task(joint)
      .catch(fail)
      .finally(() => running.delete(promise))
    running.add(promise)
  }
  await body(start).catch(fail)
  while (running.size > 0) await Promise.all(running)
  if (failures.length > 0) throw failures[0]
}

/**
 * Runs `work` over `items`, at most `parallelMax` at once. All are started even when some fail;
 * then the first failure is thrown.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  parallelMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const item = items[next++]!
      await work(item).catch((error) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
}
