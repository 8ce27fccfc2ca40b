// kill -9 with 30 pods, and how long until it is as before: the server answers, the agent's node works.

import { kubectlOf, ok } from '../support/machines.ts'
import { type Bench, compare, type Measure, type Peer } from './compare.ts'
import { type OwnCluster, ownCluster } from './own.ts'
import { answers, msUntil, peerCluster, peerCommand } from './peer.ts'
import { PodLoad } from './pod-load.ts'

const ROUNDS = 3
const PODS = 30

export const bench: Bench = {
  name: 'recover',
  target: `kill -9 of server and of agent with ${PODS} pods, until ready again`,
  async run() {
    await using own = await ownCluster({ withNode: true, withEdge: true })
    await using load = await PodLoad.open(own)
    await load.keep(PODS)
    const cluster = peerCluster()
    await using other = 'missing' in cluster ? undefined : await PodLoad.open(cluster)
    await other?.keep(PODS)
    const better = 'lower' as const
    return await compare(
      [
        { name: 'server: /readyz', value: 'serverMs', unit: 'ms', target: 0.15, better },
        { name: 'agent: exec into its pod', value: 'agentMs', unit: 'ms', target: 0.15, better },
      ],
      { ours: measureOurs(own), peer: peer(), rounds: ROUNDS },
    )
  },
}

function measureOurs(own: OwnCluster): Measure {
  return async () => {
    await own.server.signal('SIGKILL')
    own.server.startAgain()
    const serverMs = await msUntil(answers(own.url, '/readyz'))
    const pod = await podOn(own.kubeconfig, 'edge')
    await msUntil(() => canExec(own.kubeconfig, pod))
    await own.edge!.signal('SIGKILL')
    own.edge!.startAgain()
    return { serverMs, agentMs: await msUntil(() => canExec(own.kubeconfig, pod)) }
  }
}

type PodName = { namespace: string; name: string }

async function podOn(kubeconfig: string, node: string): Promise<PodName> {
  const { items } = await kubectlOf(kubeconfig).json(['get', 'pods', '-A'])
  type Pod = { metadata: PodName; spec: { nodeName?: string } }
  const found = (items as Pod[]).find(({ spec }) => spec.nodeName === node)
  if (found === undefined) throw new Error(`there is no pod on ${node}`)
  return found.metadata
}

async function canExec(kubeconfig: string, { namespace, name }: PodName): Promise<boolean> {
  const kubectl = kubectlOf(kubeconfig)
  return (await kubectl.try(['exec', '-n', namespace, name, '--', 'true'])).code === 0
}

function peer(): Peer {
  const cluster = peerCluster()
  if ('missing' in cluster) return cluster
  const restart = peerCommand('RESTART')
  if (restart === undefined) return { missing: 'name KEDGE_BENCH_PEER_RESTART' }
  return async () => {
    await ok([...restart, 'server'])
    const serverMs = await msUntil(answers(cluster.url, '/readyz'))
    const { items } = await kubectlOf(cluster.kubeconfig).json(['get', 'pods', '-A'])
    const pod: PodName = items.find(isBenchPod).metadata
    await msUntil(() => canExec(cluster.kubeconfig, pod))
    await ok([...restart, 'agent'])
    return { serverMs, agentMs: await msUntil(() => canExec(cluster.kubeconfig, pod)) }
  }
}

function isBenchPod({ metadata, status }: { metadata: PodName; status: { phase: string } }) {
  return metadata.name.startsWith('p') && status.phase === 'Running'
}
