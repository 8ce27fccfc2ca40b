// First start on an empty disk, until /readyz and until the default ServiceAccount.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KEDGE, kubectlOf, ok } from '../support/machines.ts'
import { type Bench, compare, type Peer } from './compare.ts'
import { answers, msUntil, peerCluster, peerCommand } from './peer.ts'

const ROUNDS = 5
const PORT = 26443

export const bench: Bench = {
  name: 'start',
  target: 'first start on an empty disk, against kube-apiserver with etcd and controllers',
  run() {
    const better = 'lower' as const
    return compare(
      [
        { name: '/readyz', value: 'readyMs', unit: 'ms', target: 0.1, better },
        { name: 'default ServiceAccount', value: 'accountMs', unit: 'ms', target: 0.1, better },
      ],
      { ours: measureOurs, peer: peer(), rounds: ROUNDS },
    )
  },
}

async function measureOurs() {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-start-'))
  const kubeconfig = join(folder, 'kubeconfig.yaml')
  const startedMs = performance.now()
  const child = Bun.spawn(
    [
      ...[KEDGE, 'server', '--disable-agent', '--https-listen-port', `${PORT}`],
      ...['--data-dir', join(folder, 'data'), '--run-dir', join(folder, 'run')],
      ...['--write-kubeconfig', kubeconfig],
    ],
    { stdout: 'ignore', stderr: 'ignore' },
  )
  try {
    const readyMs = await msUntil(answers(`https://127.0.0.1:${PORT}`, '/readyz'))
    await accountThere(kubeconfig)
    return { readyMs, accountMs: performance.now() - startedMs }
  } finally {
    child.kill('SIGKILL')
    await child.exited
    await rm(folder, { recursive: true })
  }
}

/** kubectl costs both sides the same; it is asked again without a pause. */
async function accountThere(kubeconfig: string): Promise<void> {
  const kubectl = kubectlOf(kubeconfig)
  const there = async () =>
    (await kubectl.try(['get', 'serviceaccount', 'default', '-n', 'default'])).code === 0
  await msUntil(there)
}

function peer(): Peer {
  const cluster = peerCluster()
  if ('missing' in cluster) return cluster
  const [start, stop] = [peerCommand('START'), peerCommand('STOP')]
  if (!start || !stop) return { missing: 'name KEDGE_BENCH_PEER_START and KEDGE_BENCH_PEER_STOP' }
  return async () => {
    await ok(stop)
    const startedMs = performance.now()
    const child = Bun.spawn(start, { stdout: 'ignore', stderr: 'ignore' })
    const readyMs = await msUntil(answers(cluster.url, '/readyz'))
    await accountThere(cluster.kubeconfig)
    const accountMs = performance.now() - startedMs
    await child.exited
    return { readyMs, accountMs }
  }
}
