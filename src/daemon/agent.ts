// `kedge agent` as a list of components: a node that dials its server and otherwise needs nobody.

import { keepTunnel } from '../agent/tunnel.ts'
import { createClient } from '../kit/client-impl.ts'
import { InformerSet } from '../kit/informer-set.ts'
import { remoteTransport } from '../kit/transport-remote.ts'
import { aborted } from '../lib/abort.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Component } from '../lib/component.ts'
import { UserError } from '../lib/user-error.ts'
import type { ClusterFacts } from '../protocol/cluster.ts'
import { CLUSTER_PATH } from '../protocol/paths.ts'
import { learnClusterSettings, UnauthorizedError } from './cluster-settings.ts'
import { type Environment, systemEnvironment } from './environment.ts'
import { tightenFolder } from './folders.ts'
import { type Identity, joinAnew, joinCluster } from './join.ts'
import { createNode } from './node.ts'
import { notifyReady } from './notify.ts'
import type { Settings } from './options.ts'
import { DATA_FOLDERS, pathsOf } from './paths.ts'
import { checkMachine } from './preflight.ts'
import { renewal } from './renewal.ts'
import { toldToken } from './server-token.ts'
import { supervise } from './supervise.ts'
import { Timeline } from './timeline.ts'

const TUNNEL_RETRY = { firstMs: 500, maxMs: 30_000 }
const API_PORT = 6443

/** Runs until `signal` aborts. Throws UserError for what a person can mend. */
export async function runAgent(settings: Settings, signal: AbortSignal): Promise<void> {
  const environment = systemEnvironment(settings)
  const { clock, log, processes, random } = environment
  const timeline = new Timeline(clock)
  const url = settings.server
  if (url === undefined)
    throw new UserError(
      '--server is missing: give --server or KEDGE_URL, such as https://ADDRESS:6443',
    )
  const { nodeName, nodeIp } = await checkMachine('agent', settings, processes, signal)
  await tightenFolder(settings['data-dir'], DATA_FOLDERS)
  timeline.done('checks')

  const paths = pathsOf(settings)
  const token = () => toldToken(settings)
  const joining = { url: url.replace(/\/$/, ''), token, nodeName, folder: paths.agent.tls, clock }
  const holder = { identity: await joinCluster(joining, signal) }
  timeline.done('identity')

  const transport = remoteTransport({
    url: () => joining.url,
    credentials: () => holder.identity,
    userAgent: 'kubelet',
    clock,
  })
  const ask = async (): Promise<ClusterFacts> => {
    const request = { method: 'GET' as const, path: CLUSTER_PATH }
    const { code, body } = await transport.request(request, signal)
    if (code === 401) throw new UnauthorizedError('the server does not know this node')
    if (code !== 200) throw new Error(`ask ${url} for the cluster settings: answer ${code}`)
    return JSON.parse(body)
  }
  const learn = () => learnClusterSettings(paths.agent.settings, ask)
  const cluster = await learn().catch(async (error) => {
    if (!(error instanceof UnauthorizedError)) throw error
    holder.identity = await joinAnew(joining, 'is no longer known to the server', signal)
    return learn()
  })
  timeline.done('cluster settings')

  const client = createClient(transport)
  const informers = new InformerSet({ client, clock, random, log })
  const node = await createNode({
    environment,
    settings,
    cluster,
    nodeName,
    nodeIp,
    client,
    transport,
    informers,
  })
  const components = [
    tunnel(environment, joining.url, holder, node.serve),
    ...node.components,
    informers,
    renewal({ ...joining, holder, log, random }),
    announce(environment, joining.url, timeline),
  ]
  await supervise(components, (name) => timeline.done(name), signal)
}

/** The way for the server to reach this node. */
function tunnel(
  { clock, log, random }: Environment,
  url: string,
  holder: { identity: Identity },
  serveNode: Parameters<typeof keepTunnel>[0]['serveNode'],
): Component {
  const { hostname, port } = new URL(url)
  const backoff = new Backoff(clock, TUNNEL_RETRY)
  const server = () => ({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || API_PORT),
    caPem: holder.identity.ca,
    certificatePem: holder.identity.cert,
    privateKeyPem: holder.identity.key,
  })
  return {
    name: 'tunnel',
    async start(signal) {
      return { done: keepTunnel({ server, serveNode, clock, random, log, backoff }, signal) }
    },
  }
}

/** The last component: everything before it is running. */
function announce({ log, processes }: Environment, server: string, timeline: Timeline): Component {
  return {
    name: 'announcement',
    async start(signal) {
      const { totalMs, steps } = timeline.summary()
      log.info('started', { server, totalMs, steps })
      await notifyReady(processes, signal)
      return { done: aborted(signal) }
    },
  }
}
