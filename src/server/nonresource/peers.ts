// What nodes are told of each other (protocol/peers.ts), from the Nodes that there are.

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import type { PeerLine } from '../../protocol/peers.ts'
import type { Entry } from '../../store/store.ts'
import type { StoreIndex } from '../storage/store-feed.ts'
import type { Answer, Push, Sink } from '../transport/call.ts'

const encoder = new TextEncoder()

export class Peers implements StoreIndex {
  readonly storagePrefix = nodes.storagePrefix
  /** The line of each node that has a range. */
  readonly #lines = new Map<string, string>()
  readonly #readers = new Set<Reader>()

  reset(): void {
    for (const name of [...this.#lines.keys()]) this.#change(name, undefined)
  }

  put({ value }: Entry): void {
    const node: Node = JSON.parse(value)
    this.#change(node.metadata.name ?? '', lineOf(node))
  }

  remove({ key }: Pick<Entry, 'key'>): void {
    this.#change(key.slice(this.storagePrefix.length + 1), undefined)
  }

  /** Heartbeats change Nodes all the time, and the line of hardly any. */
  #change(name: string, line: string | undefined): void {
    if (this.#lines.get(name) === line) return
    if (line === undefined) this.#lines.delete(name)
    else this.#lines.set(name, line)
    for (const reader of this.#readers) reader.tell(name)
  }

  answer(): Answer & { body: Push } {
    const push = async (sink: Sink) => {
      const reader = new Reader(this.#lines, sink)
      this.#readers.add(reader)
      try {
        await reader.run()
      } finally {
        this.#readers.delete(reader)
      }
    }
    return { code: 200, headers: { 'content-type': 'application/json' }, body: { push } }
  }
}

function lineOf({ metadata, spec, status }: Node): string | undefined {
  const podCidrs = spec?.podCIDRs ?? []
  if (podCidrs.length === 0) return undefined
  const internal = status?.addresses?.filter(({ type }) => type === 'InternalIP') ?? []
  const internalIps = internal.map(({ address }) => address)
  return formatLine({ type: 'PEER', name: metadata.name ?? '', internalIps, podCidrs })
}

function formatLine(line: PeerLine): string {
  return JSON.stringify(line)
}

/** One listener. What it has not been told yet is a set of names: at most as many as there are. */
class Reader {
  readonly #lines: ReadonlyMap<string, string>
  readonly #sink: Sink
  readonly #untold: Set<string>
  #wake: () => void = () => {}

  constructor(lines: ReadonlyMap<string, string>, sink: Sink) {
    this.#lines = lines
    this.#sink = sink
    this.#untold = new Set(lines.keys())
  }

  tell(name: string): void {
    this.#untold.add(name)
    this.#wake()
  }

  async run(): Promise<void> {
    const { signal } = this.#sink
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    let isSynced = false
    while (!signal.aborted) {
      for (const name of this.#untold) {
        this.#untold.delete(name)
        await this.#write(this.#lines.get(name) ?? formatLine({ type: 'GONE', name }))
        if (signal.aborted) return
      }
      if (!isSynced) await this.#write(formatLine({ type: 'SYNCED' }))
      isSynced = true
      if (this.#untold.size > 0) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  async #write(line: string): Promise<void> {
    if (!this.#sink.write(encoder.encode(`${line}\n`))) await this.#sink.drained()
  }
}
