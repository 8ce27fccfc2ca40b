// One node as a list of components, on a server or on its own: containerd, runtime, network, agent,
// proxy, DNS. Reading it from top to bottom is reading what a node is.

import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { Agent } from '../agent/agent.ts'
import { serveNode } from '../agent/http/server.ts'
import { type MachineFacts, memoryProblemOf, readMachine } from '../agent/node/machine.ts'
import type { NodeSettings } from '../agent/settings.ts'
import { statsSummary } from '../agent/stats.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import type { Node, Taint } from '../api/schema/generated/types.ts'
import { createDns } from '../dns/component.ts'
import type { Client, Transport } from '../kit/client.ts'
import { EventSink } from '../kit/events.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import { aborted, isAbort } from '../lib/abort.ts'
import type { ByteStream } from '../lib/byte-stream.ts'
import type { Component } from '../lib/component.ts'
import { writeFileAtomic } from '../lib/files.ts'
import { LinuxPathOpener } from '../lib/linux/path-opener.ts'
import { systemPty } from '../lib/linux/pty.ts'
import { LinuxSyscalls } from '../lib/linux/syscalls.ts'
import { KUBERNETES_VERSION, VERSION } from '../lib/version.ts'
import { FlowKeeper } from '../network/flow-keeper.ts'
import { systemHostFiles } from '../network/host-settings.ts'
import { createNft } from '../network/nft.ts'
import { FollowNodes } from '../network/pods/follow-nodes.ts'
import { NodeNetwork } from '../network/pods/node-network.ts'
import { PeerFeed } from '../network/pods/peer-feed.ts'
import { RulesGuard } from '../network/rules-guard.ts'
import { createProxy } from '../network/services/loop.ts'
import type { ClusterFacts } from '../protocol/cluster.ts'
import { Containerd } from '../runtime/containerd.ts'
import { CtrRuntime } from '../runtime/ctr-runtime.ts'
import { CtrImages } from '../runtime/images/ctr-images.ts'
import { imageArchitecture } from '../runtime/images/image-content.ts'
import { NO_REGISTRIES, type Registries } from '../runtime/images/registries.ts'
import type { Environment } from './environment.ts'
import type { Settings } from './options.ts'
import { pathsOf } from './paths.ts'
import { loadRegistries } from './registries.ts'

export type NodeOptions = {
  environment: Environment
  settings: Settings
  cluster: ClusterFacts
  nodeName: string
  nodeIp: string
  /** Speak as this node. */
  client: Client
  transport: Transport
  informers: InformerSet
}

export type NodeParts = {
  components: Component[]
  /** Serves one connection with the node's own HTTP API. */
  serve: (stream: ByteStream, signal: AbortSignal) => Promise<void>
}

/** Programs that a node cannot do without, and the packages that bring them. */
export const NODE_PROGRAMS = {
  ctr: 'containerd',
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
} as const

/** What a person put here comes before our own configuration of the network. */
export const CNI_CONFIG_DIR = '/etc/cni/net.d'

const POD_LOGS_DEFAULT = '/var/log/pods'
const CONTAINER_LOGS = '/var/log/containers'
const NODE_PORT = 10_250
const PODS_MAX = 110

export async function createNode(options: NodeOptions): Promise<NodeParts> {
  const { environment, cluster, nodeName, client, informers } = options
  const { clock, log, processes, random } = environment
  const machine = await readMachine()
  const memoryProblem = memoryProblemOf(machine)
  if (memoryProblem !== undefined) log.warn(memoryProblem)
  const runtime = createRuntime(options, await loadRegistries(options.settings))
  const { nft, guard, flows } = runtime
  const shared = { informers, processes, clock, random, log, nodeName }
  const events = new EventSink({ client, clock, log })
  const follow = new FollowNodes({
    ...shared,
    network: runtime.network,
    guard,
    peers: new PeerFeed({ transport: options.transport, clock, random, log }),
    clusterCidrs: [cluster.clusterCidr],
    wasConfigured: existsSync(networkDirOf(options.settings)),
    onChange: () => agent.nudgeNode(),
  })
  const nodeSettings = nodeSettingsOf(options, machine)
  const agent: Agent = new Agent({
    ...shared,
    client,
    machine,
    recorder: events.recorder('kubelet', nodeName),
    runtime: runtime.runtime,
    images: runtime.images,
    syscalls: runtime.syscalls,
    opener: new LinuxPathOpener(),
    mountinfo: () => readFile('/proc/self/mountinfo', 'utf8'),
    settings: nodeSettings,
    checks: [() => follow.problem],
  })
  const served = { ...shared, pods: agent, runtime: runtime.runtime }
  const http = {
    ...served,
    stats: (signal: AbortSignal) => statsSummary(served, signal),
    logsPath: nodeSettings.logsFolder,
    removeVolume: (name: string) => agent.removeVolume(name),
  }
  const ranges = { pods: cluster.clusterCidr, services: cluster.serviceCidr }
  const components: Component[] = [
    readyFile(options),
    // Before all that write rules: from then on nothing happens to them unseen.
    guard,
    flows,
    { name: 'containerd', start: (signal) => ensureContainerd(runtime.containerd, signal) },
    runtime.runtime,
    events,
    agent,
    follow,
    createProxy({ ...shared, ranges, nft, guard, flows }),
    createDns({
      ...shared,
      address: cluster.clusterDns,
      serviceRange: cluster.serviceCidr,
      nodeIp: options.nodeIp,
      domain: cluster.clusterDomain,
      resolvConfPath: nodeSettings.resolvConfPath,
    }),
  ]
  return { components, serve: (stream, signal) => serveNode(http, stream, signal) }
}

async function ensureContainerd(containerd: Containerd, signal: AbortSignal) {
  await containerd.ensure(signal)
  return { done: aborted(signal) }
}

/** The parts that `kedge images` needs as well. */
export function createImages(
  { environment, settings }: Pick<NodeOptions, 'environment' | 'settings'>,
  registries = NO_REGISTRIES,
) {
  const { clock, log, processes } = environment
  const paths = pathsOf(settings)
  const pty = systemPty(clock)
  const containerd = new Containerd({
    processes,
    clock,
    log,
    ...(settings['containerd-address'] ? { address: settings['containerd-address'] } : {}),
    rootDir: paths.agent.containerd,
    stateDir: paths.run.containerd,
  })
  const architecture = imageArchitecture(process.arch)
  const images = new CtrImages({
    ctr: containerd.ctr,
    pty,
    architecture,
    registries,
    hostsDir: paths.run.registries,
  })
  return { containerd, images, pty }
}

function createRuntime(options: NodeOptions, registries: Registries) {
  const { environment, settings, cluster } = options
  const { clock, log, processes, random } = environment
  const paths = pathsOf(settings)
  const { containerd, images, pty } = createImages(options, registries)
  const syscalls = new LinuxSyscalls()
  const nft = createNft({ processes, random })
  const guard = new RulesGuard({ nft, clock, log })
  const ranges = { pods: cluster.clusterCidr, services: cluster.serviceCidr }
  const flows = new FlowKeeper({ processes, clock, log, ownAddresses, ranges })
  const network = new NodeNetwork({
    processes,
    nft,
    flows,
    log,
    serviceCidr: cluster.serviceCidr,
    hostFiles: systemHostFiles(join(networkDirOf(settings), 'host-settings')),
    runDir: networkDirOf(settings),
    userConfigDir: CNI_CONFIG_DIR,
  })
  const isUsual = settings['pod-log-dir'] === POD_LOGS_DEFAULT
  const runtime = new CtrRuntime({
    processes,
    pty,
    syscalls,
    clock,
    random,
    log,
    containerd,
    images,
    network,
    stateDir: join(paths.agent.root, 'runtime'),
    runDir: paths.run.root,
    linksDir: isUsual ? CONTAINER_LOGS : undefined,
    seccompDir: join(paths.agent.root, 'seccomp'),
    arch: process.arch,
  })
  return { runtime, images, containerd, syscalls, network, nft, guard, flows }
}

/** Every address that this machine has at the moment. */
function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flat()
  return new Set(all.flatMap((one) => one?.address ?? []))
}

/** Gone after a reboot, as the network of the pods is. */
function networkDirOf(settings: Settings): string {
  return join(pathsOf(settings).run.root, 'network')
}

function nodeSettingsOf(options: NodeOptions, machine: MachineFacts): NodeSettings {
  const { settings, cluster, nodeName, nodeIp } = options
  return {
    nodeName,
    hostName: hostname(),
    addresses: [nodeIp],
    labels: parseLabels(settings['node-label']),
    taints: settings['node-taint'].map(parseTaint),
    version: `v${KUBERNETES_VERSION}+kedge${VERSION}`,
    port: NODE_PORT,
    podsMax: PODS_MAX,
    reserved: {},
    memoryBytes: machine.memoryBytes,
    clusterDns: [cluster.clusterDns],
    clusterDomain: cluster.clusterDomain,
    dataFolder: pathsOf(settings).agent.root,
    logsFolder: settings['pod-log-dir'],
    resolvConfPath: '/etc/resolv.conf',
    hostsPath: '/etc/hosts',
    allowedUnsafeSysctls: settings['allowed-unsafe-sysctls'],
  }
}

function parseLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
  )
}

/** `key=value:effect` or `key:effect`; the options have checked the form. */
function parseTaint(text: string): Taint {
  const [what = '', effect = ''] = text.split(':')
  const [key = '', value] = what.split('=')
  return { key, effect, ...(value === undefined ? {} : { value }) }
}

/** Tells scripts and the service manager that the node is Ready, once per start. */
function readyFile({ settings, nodeName, informers }: NodeOptions): Component {
  const path = pathsOf(settings).run.ready
  const own = informers.of<Node>(nodes, { fieldSelector: `metadata.name=${nodeName}` })
  const isReady = () =>
    own.lister.get(nodeName)?.status?.conditions?.some(isReadyCondition) ?? false
  return {
    name: 'ready file',
    async start(signal) {
      await rm(path, { force: true })
      const run = async () => {
        try {
          await own.until(isReady, signal)
          await writeFileAtomic(path, `${nodeName}\n`, 0o644)
        } catch (error) {
          if (!isAbort(error, signal)) throw error
        }
        await aborted(signal)
      }
      return { done: run() }
    },
  }
}

function isReadyCondition({ type, status }: { type: string; status: string }): boolean {
  return type === 'Ready' && status === 'True'
}
