// etcd as a peer: found on this machine, driven by its own load generator, which is built once with
// Go from the pinned sources in etcd-load/.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { slowed } from './slow-disk.ts'

export type Etcd = { server: string; load: string }

/** The programs, or what is missing. */
export async function findEtcd(): Promise<Etcd | { missing: string }> {
  const server = process.env.KEDGE_BENCH_ETCD ?? Bun.which('etcd')
  if (!server) return { missing: 'etcd is missing: put it into PATH or KEDGE_BENCH_ETCD' }
  const load = process.env.KEDGE_BENCH_ETCD_LOAD ?? (await buildLoad())
  if (!load) return { missing: "etcd's load generator is missing: install Go" }
  return { server, load }
}

async function buildLoad(): Promise<string | undefined> {
  const target = join(homedir(), '.cache', 'kedge-bench', 'etcd-benchmark')
  if (existsSync(target)) return target
  if (!Bun.which('go')) return undefined
  const source = join(import.meta.dir, 'etcd-load')
  const built = await Bun.$`go build -o ${target} go.etcd.io/etcd/v3/tools/benchmark`
    .cwd(source)
    .env({ ...process.env, GOFLAGS: '-mod=mod' })
    .quiet()
    .nothrow()
  return built.exitCode === 0 ? target : undefined
}

const PORTS = { client: 24790, peer: 24791 }
const ENDPOINT = `127.0.0.1:${PORTS.client}`

export type PutLoad = { writes: number; clients: number; delayMs: number }

/** Puts of 256 B to random ones of 32,000 keys on a fresh etcd. */
export async function measureEtcdPuts(etcd: Etcd, { writes, clients, delayMs }: PutLoad) {
  const dir = await mkdtemp(join(process.env.KEDGE_BENCH_DIR ?? tmpdir(), 'bench-etcd-'))
  const server = Bun.spawn(slowed([etcd.server, ...serverFlags(dir)], delayMs), {
    stdout: 'ignore',
    stderr: 'pipe',
  })
  try {
    await untilHealthy(server)
    const flags = ['--endpoints', ENDPOINT, '--conns', '16', '--clients', `${clients}`]
    const load = ['--total', `${writes}`, '--key-size', '38', '--val-size', '256']
    const keys = ['--key-space-size', '32000']
    const said = await Bun.$`${[etcd.load, ...flags, 'put', ...load, ...keys]}`.quiet().text()
    return readReport(said)
  } finally {
    server.kill('SIGKILL')
    await server.exited
    await rm(dir, { recursive: true })
  }
}

function serverFlags(dir: string): string[] {
  const peerUrl = `http://127.0.0.1:${PORTS.peer}`
  return [
    ...['--data-dir', dir, '--log-level', 'error'],
    ...['--listen-client-urls', `http://${ENDPOINT}`],
    ...['--advertise-client-urls', `http://${ENDPOINT}`],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `default=${peerUrl}`],
  ]
}

async function untilHealthy(server: Bun.Subprocess<'ignore', 'ignore', 'pipe'>): Promise<void> {
  while (server.exitCode === null) {
    const answer = await fetch(`http://${ENDPOINT}/health`).catch(() => undefined)
    if (answer?.ok) return
    await Bun.sleep(100)
  }
  throw new Error(`etcd did not start: ${await server.stderr.text()}`)
}

function readReport(said: string): Record<string, number> {
  const find = (pattern: RegExp) => Number(pattern.exec(said)?.[1])
  const report = {
    perSecond: find(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: find(/50% in ([\d.]+) secs/) * 1000,
    p99Ms: find(/99% in ([\d.]+) secs/) * 1000,
  }
  if (Object.values(report).some(Number.isNaN)) throw new Error(`unknown report of etcd: ${said}`)
  return report
}
