// The one door to nft: transactions in, what others change out.
//
// Each transaction of ours makes and takes away an empty table named after this run, which leaves
// nothing behind but shows in `nft monitor`. So a change is known for ours or somebody else's,
// whatever it touches, and nobody has to compare what the kernel holds with what it should.

import type { Processes } from '../lib/process.ts'
import { runOk } from '../lib/process.ts'
import type { Random } from '../lib/random.ts'

export interface Nft {
  /**
   * All of `script` takes effect, or none of it: then it throws. One after the other, in the order
   * of the calls: a script may build on those before it.
   */
  apply(script: string, signal: AbortSignal): Promise<void>
  /** What `nft` prints for these arguments; throws when it fails. */
  read(args: readonly string[], signal: AbortSignal): Promise<string>
  /** Tells what others change, transaction by transaction. Returns when nft ends. */
  watch(listener: NftListener, signal: AbortSignal): Promise<void>
}

export type NftListener = {
  /** Somebody else's transaction; each kind of change to a table once. */
  changed(changes: readonly NftChange[]): void
  /** Transactions went by unread: anything may have changed. */
  lost(): void
  /** A transaction of ours went by: whoever watches is listening. */
  heard(): void
}

/** `delete rule inet kedge …`: what happened in which table. */
export type NftChange = {
  readonly verb: string
  readonly what: string
  /** Family and name, as in `inet kedge`. */
  readonly table: string
  /** It makes or changes a chain of the forward hook. */
  readonly isForwardChain: boolean
}

/** A line is one change: a rule, or the elements that fit one message of the kernel. */
const LINE_CHARS_MAX = 1024 * 1024

export function createNft(deps: { processes: Processes; random: Random }): Nft {
  const { processes, random } = deps
  const signature = `inet kedge-by-${Buffer.from(random.bytes(8)).toString('hex')}`
  const signed = `add table ${signature}\ndelete table ${signature}\n`
  let last: Promise<unknown> = Promise.resolve()
  return {
    async apply(script, signal) {
      const run = () => runOk(processes, ['nft', '-f', '-'], signal, { stdin: signed + script })
      // The one before answers to whoever asked for it.
      const own = last.then(run, run)
      last = own.catch(() => {})
      await own
    },

    read: (args, signal) => runOk(processes, ['nft', ...args], signal),

    async watch(listener, signal) {
      const monitor = processes.spawn(['nft', 'monitor'], signal)
      const reader = new MonitorReader(signature, listener)
      const decoder = new TextDecoder()
      for await (const chunk of monitor.stdout) reader.read(decoder.decode(chunk, { stream: true }))
      await monitor.exited
    },
  }
}

/** Reads what `nft monitor` prints. */
export class MonitorReader {
  readonly #signature: string
  readonly #listener: NftListener
  #text = ''
  #isOurs = false
  #changes = new Map<string, NftChange>()

  constructor(signature: string, listener: NftListener) {
    this.#signature = signature
    this.#listener = listener
  }

  read(chunk: string): void {
    const lines = (this.#text + chunk).split('\n')
    this.#text = lines.pop()!
    for (const line of lines) this.#readLine(line)
    if (this.#text.length <= LINE_CHARS_MAX) return
    this.#text = ''
    this.#listener.lost()
  }

  /** The changes of a transaction come first, its generation last. */
  #readLine(line: string): void {
    if (line.startsWith('# new generation ')) return this.#end()
    // What is left of nft's remarks says that the kernel had more to tell than it could read.
    if (line.startsWith('#')) return this.#listener.lost()
    const change = parseChange(line)
    if (change === undefined) return
    if (change.table === this.#signature) this.#isOurs = true
    else this.#changes.set(Object.values(change).join(' '), change)
  }

  #end(): void {
    const changes = [...this.#changes.values()]
    const isOurs = this.#isOurs
    this.#changes = new Map()
    this.#isOurs = false
    if (isOurs) this.#listener.heard()
    else if (changes.length > 0) this.#listener.changed(changes)
  }
}

/** `verb what family table …`; undefined for the further lines of something long. */
function parseChange(line: string): NftChange | undefined {
  const match = /^([a-z]+) ([a-z]+) ([a-z0-9]+) (\S+)/.exec(line)
  if (match === null) return undefined
  const [, verb, what, family, table] = match
  const isForwardChain = what === 'chain' && line.includes(' hook forward ')
  return { verb: verb!, what: what!, table: `${family} ${table}`, isForwardChain }
}
