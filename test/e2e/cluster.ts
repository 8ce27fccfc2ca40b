// A cluster of two machines for the suites: `server` runs everything, `edge` is reached by nobody.

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

export type Cluster = {
  lab: Lab
  server: Machine
  edge: Machine
  kubectl: Kubectl
  imagesTar: string
  /** Runs a shell line in a pod and returns what it printed. */
  inPod(pod: string, script: string, kubectl?: Kubectl): Promise<string>
  /** Fetches a URL from a machine; throws when there is no answer within two seconds. */
  curl(from: Machine, url: string): Promise<string>
  podsReady(selector: string, count: number, kubectl?: Kubectl): Promise<PodView[]>
}

export type PodView = { name: string; node: string; ip: string; restarts: number; id: string }

export async function startCluster(): Promise<Cluster & AsyncDisposable> {
  const lab = await createLab({ prefix: 'ke', subnet: '10.89.7' })
  try {
    return await buildCluster(lab)
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

async function buildCluster(lab: Lab): Promise<Cluster & AsyncDisposable> {
  const imagesTar = join(lab.folder, 'images.tar')
  writeFileSync(imagesTar, ociArchive(await testImages()))
  const server = await lab.addMachine('server')
  const edge = await lab.addMachine('edge')
  server.start(server.serverArgv())
  const kubeconfig = await server.adminKubeconfig()
  const kubectl = kubectlOf(kubeconfig)
  await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
  await edge.closeInboundPorts()
  await edge.join(server, kubeconfig)
  await nodesReady(kubectl, 2).catch(async (cause) => {
    const logs = [server, edge].map(({ logPath }) => readFileSync(logPath, 'utf8').slice(-4000))
    throw new Error(`the nodes are not Ready:\n${logs.join('\n---\n')}`, { cause })
  })
  for (const machine of [server, edge]) await machine.importImages(imagesTar)
  return {
    ...{ lab, server, edge, kubectl, imagesTar },
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

/** Waits until this many nodes are there and all of them are Ready. */
export async function nodesReady(kubectl: Kubectl, count: number): Promise<void> {
  await until(`${count} nodes`, async () => {
    const names = await kubectl(['get', 'nodes', '-o', 'name'])
    return names.trim().split('\n').length === count
  })
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
