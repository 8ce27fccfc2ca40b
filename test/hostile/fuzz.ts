// Made-up input for everything that reads, from one seed: `npm run fuzz -- --minutes 10 --seed 1`.
//
// A find is a fault of our own (500, TypeError), an input that takes longer than a stall may, also
// when it is tried again, or memory that does not come back.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SeededRandom } from '../../src/lib/random.ts'
import { testServer } from '../support/server.ts'
import { ended, Found } from './fuzz-target.ts'
import { prepare, targets } from './fuzz-targets.ts'
import { ListeningServer } from './fuzz-wire.ts'

/** Longer than this nobody may hold up everybody. */
const STALL_CPU_MS = 100
const STALL_TRIES = 4
/** After the first tenth of a run all caches are warm. */
const GROWN_BYTES_MAX = 64 * 1024 * 1024
const FINDS_MAX = 20

export type Find = { target: string; seed: number; shown: string; why: string }
export type Run = {
  seed: number
  until: (tries: number) => boolean
  /** Only targets whose names hold this. */
  only?: string
}

/** What was found. Every try has a seed of its own, by which it can be repeated. */
export async function fuzz({ seed, until, only = '' }: Run) {
  await using server = await testServer()
  await prepare(server)
  const folder = await mkdtemp(join(tmpdir(), 'kedge-fuzz-'))
  const listening = await ListeningServer.start(server, folder)
  const all = [...targets(server, folder), ...listening.targets()].filter(({ name }) =>
    name.includes(only),
  )
  const finds: Find[] = []
  let tries = 0
  for (; !until(tries) && finds.length < FINDS_MAX; tries++) {
    const random = new SeededRandom(seed + tries)
    const target = all[Math.floor(random.next() * all.length)]!
    const { shown, run } = target.make(random)
    const why = await whyNot(run)
    if (why !== undefined) finds.push({ target: target.name, seed: seed + tries, shown, why })
  }
  await listening.close()
  await rm(folder, { recursive: true })
  return { finds, tries }
}

async function whyNot(run: () => unknown): Promise<string | undefined> {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < STALL_TRIES; i++) {
    const before = process.cpuUsage()
    try {
      await ended(Promise.resolve(run()))
    } catch (error) {
      if (error instanceof Found) return error.message
      return `${(error as Error).stack}`
    }
    const { user, system } = process.cpuUsage(before)
    fastest = Math.min(fastest, (user + system) / 1000)
    if (fastest < STALL_CPU_MS) return undefined
  }
  return `${fastest.toFixed(0)} ms of CPU time`
}

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
    },
  })
  const start = performance.now()
  const lengthMs = Number(values.minutes) * 60_000
  let warmBytes = 0
  let said = 0
  const until = (tries: number) => {
    const ms = performance.now() - start
    if (warmBytes === 0 && ms > lengthMs / 10) {
      Bun.gc(true)
      warmBytes = process.memoryUsage().heapUsed
    }
    if (ms > said) {
      console.log(`${Math.round(ms / 1000)} s, ${tries} tries`)
      said += 60_000
    }
    return ms > lengthMs
  }
  // What is thrown where nobody waits for it would end a server.
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => {
      console.log(event, error)
      process.exitCode = 1
    })
  }
  const { seed, only } = values
  const { finds, tries } = await fuzz({ seed: Number(seed), until, only })
  for (const find of finds) console.log(JSON.stringify(find, undefined, 2))
  Bun.gc(true)
  const grown = process.memoryUsage().heapUsed - warmBytes
  const megabytes = (grown / 1024 / 1024).toFixed(1)
  console.log(`${tries} tries, ${finds.length} finds, the heap grew by ${megabytes} MiB`)
  process.exit(finds.length > 0 || grown > GROWN_BYTES_MAX ? 1 : (process.exitCode ?? 0))
}

if (import.meta.main) await main()
