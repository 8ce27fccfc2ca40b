// Remembers how much remained after a page of a list, so that only the first page of a long list
// has to count. The state at a revision never changes, so neither do these numbers.

/** Lists that are being paged through at the same time. */
const PAGES_MAX = 100

export type Page = { prefix: string; revision: number; lastKey: string }

export class Pages {
  readonly #remaining = new Map<string, number>()

  /** How many entries come after that page, if it was the last page of somebody. */
  remaining(page: Page): number | undefined {
    return this.#remaining.get(nameOf(page))
  }

  note(page: Page, remaining: number): void {
    this.#remaining.set(nameOf(page), remaining)
    if (this.#remaining.size > PAGES_MAX) {
      this.#remaining.delete(this.#remaining.keys().next().value!)
    }
  }
}

function nameOf({ prefix, revision, lastKey }: Page): string {
  return `${revision} ${prefix} ${lastKey}`
}
