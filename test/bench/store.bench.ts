// Durable puts by 64 clients, on this disk and on slower ones, against etcd. Ours are called in the
// process and etcd's over gRPC, as a server of each kind would; every put is synced before it is
// acknowledged, by both.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bench, compare, type Peer, type Row } from './compare.ts'
import { findEtcd, measureEtcdPuts, type PutLoad } from './etcd.ts'
import { canSlow, slowed } from './slow-disk.ts'

const ROUNDS = 5
const CLIENTS = 64
const LOADS = [
  { name: 'this disk', delayMs: 0, writes: 60_000, target: 1.5 },
  { name: 'syncs +5 ms', delayMs: 5, writes: 15_000, target: 2 },
  { name: 'syncs +20 ms', delayMs: 20, writes: 6_000, target: 2 },
]

export const bench: Bench = {
  name: 'store',
  target: 'durable puts of 256 B by 64 clients, against etcd',
  async run() {
    const etcd = await findEtcd()
    const rows: Row[] = []
    for (const { name, delayMs, writes, target } of LOADS) {
      if (delayMs > 0 && !canSlow()) continue
      const load = { writes, clients: CLIENTS, delayMs }
      const peer: Peer = 'missing' in etcd ? etcd : () => measureEtcdPuts(etcd, load)
      const rate = { name: `puts, ${name}`, value: 'perSecond', unit: '/s' } as const
      const tail = { name: `puts p99, ${name}`, value: 'p99Ms', unit: 'ms' } as const
      rows.push(
        ...(await compare(
          [
            { ...rate, target, better: 'higher' },
            { ...tail, target: 1, better: 'lower' },
          ],
          { ours: () => measureOurs(load), peer, rounds: ROUNDS },
        )),
      )
    }
    return rows
  },
}

async function measureOurs({ writes, clients, delayMs }: PutLoad) {
  const dir = await mkdtemp(join(process.env.KEDGE_BENCH_DIR ?? tmpdir(), 'bench-store-'))
  const script = join(import.meta.dir, 'store-load.ts')
  const argv = [process.execPath, script, join(dir, 'store.db'), `${writes}`, `${clients}`]
  const child = Bun.spawn(slowed(argv, delayMs), { stdout: 'pipe', stderr: 'inherit' })
  try {
    const said = await child.stdout.text()
    if ((await child.exited) !== 0) throw new Error('the load on the store failed')
    return JSON.parse(said) as Record<string, number>
  } finally {
    await rm(dir, { recursive: true })
  }
}
