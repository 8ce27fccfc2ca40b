// Doing nothing: memory, processor time, bytes written and syncs, without pods and with 30.

import { readFileSync } from 'node:fs'
import { ok } from '../support/machines.ts'
import type { Bench, Row } from './compare.ts'
import { ownCluster } from './own.ts'
import { peerCluster, peerCommand } from './peer.ts'
import { PodLoad } from './pod-load.ts'

const SECONDS = 120
const SETTLE_MS = 20_000
const PODS = 30

export const bench: Bench = {
  name: 'idle',
  target: `${SECONDS} s of rest, server and agent, against control plane and kubelet`,
  async run() {
    await using own = await ownCluster({ withNode: true })
    const rows: Row[] = []
    const peer = peerCluster()
    for (const pods of [0, PODS]) {
      const [ours, theirs] = 'missing' in peer ? [own] : [own, peer]
      await using load = await PodLoad.open(ours!)
      await using other = theirs ? await PodLoad.open(theirs) : undefined
      const removals = pods === 0 ? [] : [await load.keep(pods), await other?.keep(pods)]
      await Bun.sleep(SETTLE_MS)
      // At the same time: rest is rest only when the other side rests too.
      const [mine, yours] = await Promise.all([rest([own.server.pid!]), restOfPeer()])
      rows.push(...rowsOf(`${pods} pods`, mine, yours))
      for (const remove of removals) await remove?.()
    }
    return rows
  },
}

type Rest = { rssMiB: number; cpuPercent: number; writtenKiB: number; syncs: number }

async function restOfPeer(): Promise<Rest | { missing: string }> {
  const command = peerCommand('PIDS')
  if (command === undefined) return { missing: 'name KEDGE_BENCH_PEER_PIDS' }
  return rest((await ok(command)).trim().split(/\s+/).map(Number))
}

async function rest(pids: readonly number[]): Promise<Rest> {
  const before = pids.map(usageOf)
  const syncs = await countSyncs(pids)
  const after = pids.map(usageOf)
  const sum = (pick: (usage: Usage) => number, list: Usage[]) =>
    list.reduce((total, usage) => total + pick(usage), 0)
  const cpuMs = (sum((u) => u.ticks, after) - sum((u) => u.ticks, before)) * 10
  return {
    rssMiB: sum((u) => u.rssKiB, after) / 1024,
    cpuPercent: (cpuMs / (SECONDS * 1000)) * 100,
    writtenKiB: (sum((u) => u.written, after) - sum((u) => u.written, before)) / 1024,
    syncs,
  }
}

type Usage = { ticks: number; rssKiB: number; written: number }

/** Clock ticks are hundredths of a second on every Linux that Bun runs on. */
function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const io = readFileSync(`/proc/${pid}/io`, 'utf8')
  return {
    ticks: Number(stat[11]) + Number(stat[12]),
    rssKiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
    written: Number(/^write_bytes: (\d+)/m.exec(io)?.[1]),
  }
}

/** Watches for `SECONDS`; -1 where strace is not there. */
async function countSyncs(pids: readonly number[]): Promise<number> {
  if (!Bun.which('strace')) {
    await Bun.sleep(SECONDS * 1000)
    return -1
  }
  const calls = 'trace=fsync,fdatasync,sync_file_range,sync,syncfs'
  const argv = ['strace', '-f', '-q', '-e', calls, ...pids.flatMap((pid) => ['-p', `${pid}`])]
  const tracer = Bun.spawn(argv, { stdout: 'ignore', stderr: 'pipe' })
  const text = tracer.stderr.text()
  await Bun.sleep(SECONDS * 1000)
  tracer.kill('SIGINT')
  return (await text).split('\n').filter((line) => /\b(fsync|fdatasync|sync\w*)\(/.test(line))
    .length
}

function rowsOf(name: string, ours: Rest, theirs: Rest | { missing: string }): Row[] {
  const row = (
    what: string,
    value: keyof Rest,
    unit: string,
    target: number,
    isAbsolute = false,
  ) => {
    const peer = 'missing' in theirs ? null : theirs[value]
    const ratio = peer === null || peer === 0 ? null : ours[value] / peer
    return {
      name: `${name}: ${what}`,
      ours: ours[value],
      peer,
      ratio,
      target,
      unit,
      better: 'lower' as const,
      spread: null,
      isAbsolute,
      ...('missing' in theirs ? { note: theirs.missing } : {}),
    }
  }
  return [
    row('memory (RSS)', 'rssMiB', 'MiB', 0.2),
    row('processor', 'cpuPercent', '% of a core', 0.2),
    row(`written in ${SECONDS} s`, 'writtenKiB', 'KiB', 40, true),
    row(`syncs in ${SECONDS} s`, 'syncs', '', 0, true),
  ]
}
