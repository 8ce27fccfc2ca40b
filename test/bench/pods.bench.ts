// Pods: create to Running one at a time, in a burst, and delete to gone; warm image.

import { join } from 'node:path'
import { ok } from '../support/machines.ts'
import { type Bench, compare, median, type Row } from './compare.ts'
import { OWN_IMAGE, type OwnCluster, ownCluster } from './own.ts'
import { peerCluster } from './peer.ts'
import { PodLoad } from './pod-load.ts'

const ROUNDS = 5
const SINGLES = 10
const BURST = 30

export const bench: Bench = {
  name: 'pods',
  target: 'create to Running seen by a watch, against the kubelet and against `ctr run -d`',
  async run() {
    await using own = await ownCluster({ withNode: true })
    await using load = await PodLoad.open(own)
    const peer = peerCluster()
    const theirs = 'missing' in peer ? undefined : await PodLoad.open(peer)
    try {
      return [...(await againstKubelet(load, theirs)), ...(await againstCtr(load, own))]
    } finally {
      await theirs?.[Symbol.asyncDispose]()
    }
  },
}

async function againstKubelet(own: PodLoad, theirs: PodLoad | undefined): Promise<Row[]> {
  const measure = (load: PodLoad) => async () => {
    const { startMs, stopMs } = await load.oneByOne(SINGLES)
    return { startMs, stopMs, burst: await load.burst(BURST) }
  }
  const missing = peerCluster() as { missing: string }
  return compare(
    [
      ...[{ name: 'create to Running', value: 'startMs', unit: 'ms', target: 0.6 }].map((row) => ({
        ...row,
        better: 'lower' as const,
      })),
      { name: `burst of ${BURST}`, value: 'burst', unit: 'pods/s', target: 2, better: 'higher' },
      { name: 'delete to gone', value: 'stopMs', unit: 'ms', target: 1, better: 'lower' },
    ],
    { ours: measure(own), peer: theirs ? measure(theirs) : missing, rounds: ROUNDS },
  )
}

function againstCtr(own: PodLoad, { server }: OwnCluster): Promise<Row[]> {
  const socket = join(server.runDir, 'containerd', 'containerd.sock')
  const ctr = (...args: string[]) => server.on(['ctr', '-a', socket, '-n', 'bench', ...args])
  let count = 0
  const floor = async () => {
    const image = `docker.io/${OWN_IMAGE}`
    const exported = join(server.folder, '..', 'images.tar')
    if (count === 0) await ok(ctr('images', 'import', exported))
    const times: number[] = []
    for (let i = 0; i < SINGLES; i++) {
      const id = `floor${count++}`
      const startMs = performance.now()
      await ok(ctr('run', '-d', image, id, 'sleep', '3600'))
      times.push(performance.now() - startMs)
      await ok(ctr('tasks', 'delete', '-f', id))
      await ok(ctr('containers', 'delete', id))
    }
    return { startMs: median(times) }
  }
  return compare(
    [
      {
        name: 'create to Running / ctr run -d',
        value: 'startMs',
        unit: 'ms',
        target: 2.5,
        better: 'lower',
      },
    ],
    { ours: () => own.oneByOne(SINGLES), peer: floor, rounds: ROUNDS },
  )
}
