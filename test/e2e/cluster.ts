// A cluster for the suites: a server, and agents that are reached by nobody.

import { afterAll, beforeAll } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ociArchive } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'
import {
  createLab,
  type Kubectl,
  kubectlOf,
  type Lab,
  type Machine,
  ok,
  until,
} from '../support/machines.ts'
import type { Machines } from './suite.ts'

export type Cluster = {
  lab: Lab
  server: Machine
  /** `edge`, `edge-2`, … */
  agents: Machine[]
  /** The first agent. */
  edge: Machine
  /** Of the server too, if it has one. */
  nodeCount: number
  kubectl: Kubectl
  kubeconfig: string
  imagesTar: string
  /** Runs a shell line in a pod and returns what it printed. */
  inPod(pod: string, script: string, kubectl?: Kubectl): Promise<string>
  /** Fetches a URL from a machine; throws when there is no answer within two seconds. */
  curl(from: Machine, url: string): Promise<string>
  podsReady(selector: string, count: number, kubectl?: Kubectl): Promise<PodView[]>
}

export type PodView = { name: string; node: string; ip: string; restarts: number; id: string }

export async function startCluster(machines: Machines): Promise<Cluster & AsyncDisposable> {
  const lab = await createLab()
  try {
    return await buildCluster(lab, machines)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function buildCluster(lab: Lab, machines: Machines): Promise<Cluster & AsyncDisposable> {
  const imagesTar = join(lab.folder, 'images.tar')
  writeFileSync(imagesTar, ociArchive(await testImages()))
  const server = await lab.addMachine('server')
  const { options } = machines
  const names = Array.from({ length: machines.agents }, (_, i) =>
    i === 0 ? 'edge' : `edge-${i + 1}`,
  )
  const agents: Machine[] = []
  for (const name of names) agents.push(await lab.addMachine(name))
  server.start(server.serverArgv([...(options?.server ?? [])]))
  const kubeconfig = await server.adminKubeconfig()
  const kubectl = kubectlOf(kubeconfig)
  await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
  for (const agent of agents) {
    await agent.closeInboundPorts()
    await agent.join(server, kubeconfig, options?.agent)
  }
  const isNode = !options?.server?.includes('--disable-agent')
  const nodes = isNode ? [server, ...agents] : agents
  await nodesReady(kubectl, nodes.length).catch(async (cause) => {
    const all = [server, ...agents]
    const logs = all.map(({ logPath }) => readFileSync(logPath, 'utf8').slice(-4000))
    throw new Error(`the nodes are not Ready:\n${logs.join('\n---\n')}`, { cause })
  })
  for (const machine of nodes) await machine.importImages(imagesTar)
  return {
    lab,
    server,
    agents,
    get edge() {
      const [first] = agents
      if (first === undefined) throw new Error('this suite has declared no agent')
      return first
    },
    nodeCount: nodes.length,
    kubectl,
    kubeconfig,
    imagesTar,
    inPod: (pod, script, own = kubectl) => own(['exec', pod, '--', 'sh', '-c', script]),
    curl: (from, url) => ok(from.on(['curl', '-sS', '--fail', '--max-time', '2', url])),
    podsReady: (selector, count, own = kubectl) => podsReady(own, selector, count),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  }
}

/** A suite's own namespace: there before its tests, gone after them. */
export function useNamespace(get: () => Cluster, name: string): void {
  beforeAll(async () => {
    await get().kubectl(['create', 'namespace', name])
  }, 30_000)
  afterAll(async () => {
    await get().kubectl(['delete', 'namespace', name, '--timeout=60s'])
  }, 70_000)
}

/** The README's example in the default namespace: there, whole, and spread over all nodes. */
export function useExample(get: () => Cluster): void {
  beforeAll(async () => {
    const { kubectl, nodeCount, podsReady } = get()
    const apply = () => kubectl(['apply', '-f', '-'], manifestOfReadme())
    await apply()
    await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
    const isSpread = async () => {
      const pods = await podsReady('app=web', 3)
      return new Set(pods.map(({ node }) => node)).size === Math.min(nodeCount, 3)
    }
    if (await isSpread()) return
    // Another suite has moved them.
    await kubectl(['delete', 'deployment', 'web', '--cascade=foreground', '--timeout=60s'])
    await apply()
    if (!(await isSpread())) throw new Error('the pods of the example are not on every node')
  }, 180_000)
}

export function manifestOfReadme(): string {
  const readme = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
  const [, manifest] = /```yaml\n(apiVersion: v1\n[\s\S]*?)```/.exec(readme) ?? []
  if (manifest === undefined) throw new Error('README.md holds no example manifest')
  return manifest
}

/** Waits until this many nodes are there and all of them are Ready. */
export async function nodesReady(kubectl: Kubectl, count: number): Promise<void> {
  await until(`${count} nodes`, async () => {
    const names = await kubectl(['get', 'nodes', '-o', 'name'])
    return names.split('\n').filter(Boolean).length === count
  })
  if (count === 0) return
  await kubectl(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=90s'])
}

async function podsReady(kubectl: Kubectl, selector: string, count: number) {
  return until(`${count} ready pods of ${selector}`, async () => {
    const { items } = await kubectl.json(['get', 'pods', '-l', selector])
    const ready = items.filter(isReady)
    return items.length === count && ready.length === count ? ready.map(podView) : undefined
  })
}

// biome-ignore lint/suspicious/noExplicitAny: what kubectl prints is read as it comes.
type Json = any

function isReady(pod: Json): boolean {
  const conditions: Json[] = pod.status?.conditions ?? []
  const isUp = conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  return isUp && pod.metadata.deletionTimestamp === undefined
}

export function podView(pod: Json): PodView {
  const [first] = pod.status.containerStatuses
  return {
    name: pod.metadata.name,
    node: pod.spec.nodeName,
    ip: pod.status.podIP,
    restarts: first.restartCount,
    id: first.containerID,
  }
}
