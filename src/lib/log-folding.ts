// Folds lines that say the same again and again: the first few are written, the rest counted, and
// the count written when the minute is over. What fails for a thousand nodes is said ten times.

import type { Clock } from './clock.ts'

/** So many alike in a window are written. */
const LINES_MAX = 10
const WINDOW_MS = 60_000
/** Kinds of lines remembered at once; past that, the oldest window ends early. */
const KINDS_MAX = 500

type Window = { count: number; newest: () => void; cancel: () => void }

export class Folding {
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `write`, or only counts; at the end of the window the last one is written with `folded`. */
  line(kind: string, write: (folded: number) => void): void {
    const window = this.#windows.get(kind) ?? this.#open(kind)
    window.count++
    if (window.count <= LINES_MAX) write(0)
    else window.newest = () => write(window.count - LINES_MAX)
  }

  #open(kind: string): Window {
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size < KINDS_MAX) break
      this.#close(oldest)
    }
    const cancel = this.#clock.after(WINDOW_MS, () => this.#close(kind))
    const window: Window = { count: 0, newest: () => {}, cancel }
    this.#windows.set(kind, window)
    return window
  }

  #close(kind: string): void {
    const window = this.#windows.get(kind)
    this.#windows.delete(kind)
    window?.cancel()
    window?.newest()
  }
}

/** Names, numbers and ids differ from line to line; what is left tells one kind from another. */
export function kindOfText(text: string): string {
  return text.slice(0, 500).replace(/"[^"]*"|'[^']*'|[0-9a-f]{8,}|\d+/g, '#')
}
