// A server of one kind whose watches answer what a test says, when it says so.

import type { KubeObject } from '../../src/api/object.ts'
import type { Client, WatchEvent } from '../../src/kit/client.ts'

export type Answer = WatchEvent<KubeObject> | Error | 'end'

export class ScriptedServer {
  readonly watches: Record<string, unknown>[] = []
  listed: KubeObject[] = []
  listRevision = '0'
  #answers: Answer[] = []
  #wake: () => void = () => {}

  say(...answers: Answer[]) {
    this.#answers.push(...answers)
    this.#wake()
  }

  readonly client = {
    list: async () => ({ metadata: { resourceVersion: this.listRevision }, items: this.listed }),
    watch: (_row: unknown, query: Record<string, unknown>, signal: AbortSignal) => {
      this.watches.push(query)
      return this.#follow(signal)
    },
  } as unknown as Client

  async *#follow(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake())
    while (!signal.aborted) {
      const answer = this.#answers.shift()
      if (answer === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
      else if (answer === 'end') return
      else if (answer instanceof Error) throw answer
      else yield answer
    }
  }
}
