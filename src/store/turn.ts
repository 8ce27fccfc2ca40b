// Letting others run. Long work is cut into steps with a turn of the event loop between them.

/** Resolves after everything that is ready now has run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
