// What people were told of each object, so that one more pass says nothing twice. A restart
// forgets it, and costs an event.

export class Told {
  readonly #last = new Map<string, string>()

  /** False when `text` is what was said of `key` last. */
  isNews(key: string, text: string): boolean {
    if (this.#last.get(key) === text) return false
    this.#last.set(key, text)
    return true
  }

  forget(key: string): void {
    this.#last.delete(key)
  }
}
