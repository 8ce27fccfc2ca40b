// `kedge server` as a list of components. Reading it from top to bottom is reading the control
// plane: store, identities, API, controllers, scheduler, and unless told otherwise a node.

import { hostname } from 'node:os'
import { labelServerNode } from '../agent/node/role.ts'
import { dialAddress } from '../agent/tunnel.ts'
import { builtInRows } from '../api/kinds/all.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import { createRegistry, type Registry } from '../api/registry.ts'
import type { UserInfo } from '../api/resource.ts'
import { controllers } from '../controllers/all.ts'
import { createClient } from '../kit/client-impl.ts'
import { EventSink } from '../kit/events.ts'
import { InformerSet } from '../kit/informer-set.ts'
import { QueueMetrics } from '../kit/queue-metrics.ts'
import { localTransport } from '../kit/transport-local.ts'
import { aborted } from '../lib/abort.ts'
import type { Component } from '../lib/component.ts'
import { writeFileAtomic } from '../lib/files.ts'
import { addressAt, formatIp, parseCidr } from '../lib/ip.ts'
import { Metrics } from '../lib/metrics.ts'
import { streamPair } from '../lib/net/pipe.ts'
import { UserError } from '../lib/user-error.ts'
import { type ClusterPki, ensureClusterPki, pkiRenewal } from '../pki/cluster.ts'
import { formatKubeconfig } from '../pki/kubeconfig.ts'
import { ServiceAccountTokens } from '../pki/service-account.ts'
import { signCsr } from '../pki/signer.ts'
import { createScheduler } from '../scheduler/loop.ts'
import { createApp } from '../server/app.ts'
import { ensureBootstrap, ensureLocalClass } from '../server/bootstrap/ensure.ts'
import { openEncrypted } from '../server/encryption/open-encrypted.ts'
import { storePrefix } from '../server/storage/stored.ts'
import { Tunnels } from '../server/streams/tunnels.ts'
import { type Listening, listen } from '../server/transport/listen.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { type AdmissionSettings, loadAdmission } from './admission-control.ts'
import { clusterSettingsOf } from './cluster-settings.ts'
import { type Environment, systemEnvironment } from './environment.ts'
import { tightenFolder } from './folders.ts'
import { createNode } from './node.ts'
import { notifyReady } from './notify.ts'
import type { Settings } from './options.ts'
import { DATA_FOLDERS, pathsOf } from './paths.ts'
import { checkMachine } from './preflight.ts'
import { ensureJoinToken } from './server-token.ts'
import { supervise } from './supervise.ts'
import { Timeline } from './timeline.ts'

const FOR_NODES = { groups: ['system:nodes', 'system:authenticated'] }
const ACCOUNTS = ['system:serviceaccounts', 'system:serviceaccounts:kube-system']

/** Runs until `signal` aborts. Throws UserError for what a person can mend. */
export async function runServer(settings: Settings, signal: AbortSignal): Promise<void> {
  const environment = systemEnvironment(settings)
  const { clock, log, processes } = environment
  const timeline = new Timeline(clock)
  const admission = await loadAdmission(settings)
  const { nodeName, nodeIp } = await checkMachine('server', settings, processes, signal)
  await tightenFolder(settings['data-dir'], DATA_FOLDERS)
  timeline.done('checks')

  const paths = pathsOf(settings)
  const store = await openEncrypted({
    open: () => openStore({ path: paths.server.store, clock, log, onFailure: storeFailed }),
    keysPath: paths.server.encryptionKeys,
    prefixes: [storePrefix(secrets, '')],
    random: environment.random,
    log,
  })
  timeline.done('store')
  const plane = await createPlane({ environment, settings, admission, store, nodeName, nodeIp })
  timeline.done('identities')

  const stop = new AbortController()
  const until = AbortSignal.any([signal, stop.signal])
  function storeFailed(error: Error) {
    log.error('the data store failed', { error })
    stop.abort(error)
  }
  const node = settings['disable-agent'] ? [] : await createOwnNode(plane)
  const components = [...planeComponents(plane), ...node, announce(plane, timeline)]
  const onReady = (name: string) => timeline.done(name)
  try {
    await supervise(components, onReady, until)
  } finally {
    await store.close()
  }
  if (stop.signal.aborted && !signal.aborted) throw stop.signal.reason
}

type PlaneOptions = {
  environment: Environment
  settings: Settings
  admission: AdmissionSettings
  store: Store
  nodeName: string
  nodeIp: string
}

type Plane = Awaited<ReturnType<typeof createPlane>>

/** Everything that components share, made but not running. */
async function createPlane(options: PlaneOptions) {
  const { environment, settings, admission, store, nodeName, nodeIp } = options
  const { clock, log, random } = environment
  const serviceCidr = parseCidr(settings['service-cidr'])!
  const advertiseAddress = settings['advertise-address'] ?? nodeIp
  const pki = await ensureClusterPki({
    dir: pathsOf(settings).server.pki,
    names: serverNames(settings, [hostname(), nodeName], [nodeIp, advertiseAddress]),
    serviceIp: formatIp(addressAt(serviceCidr, 1)),
    domain: settings['cluster-domain'],
    clock,
    random,
  })
  const tunnels = new Tunnels({ clock, log })
  const [first, last] = settings['service-node-port-range'].split('-').map(Number)
  const registry = createRegistry(builtInRows)
  const metrics = new Metrics()
  const app = createApp({
    store,
    registry,
    clock,
    random,
    log,
    metrics,
    nodes: tunnels,
    tunnels,
    checks: [{ name: 'informer-sync', fault: () => overdueText(informers) }],
    pki: {
      clusterCaPem: pki.ca.certificatePem,
      tokens: new ServiceAccountTokens(pki.serviceAccountKey),
    },
    settings: {
      serviceCidr,
      nodePorts: { first: first!, last: last! },
      clusterDomain: settings['cluster-domain'],
      clusterFacts: clusterSettingsOf(settings),
      advertiseAddress,
      advertisePort: settings['https-listen-port'],
      ...admission,
    },
  })
  const transportFor = (user: UserInfo, userAgent: string) =>
    localTransport((request, env) => app.fetch(request, env), user, userAgent)
  const clientFor = (user: UserInfo, userAgent: string) =>
    createClient(transportFor(user, userAgent))
  const admin = clientFor({ username: 'system:admin', groups: ['system:masters'] }, 'kedge')
  const informers: InformerSet = new InformerSet({ client: admin, clock, random, log })
  informers.countIn(metrics)
  return {
    ...options,
    pki,
    app,
    registry,
    metrics,
    tunnels,
    transportFor,
    clientFor,
    admin,
    informers,
    serviceCidr,
    advertiseAddress,
  }
}

/** In upstream's words for a cache that has not started. */
function overdueText(informers: InformerSet): string | undefined {
  const overdue = informers.overdue()
  if (overdue.length === 0) return undefined
  const names = overdue.map(({ plural, problem }) => `${plural} (${problem})`)
  return `${overdue.length} informers not synced yet: [${names.join(' ')}]`
}

function serverNames(settings: Settings, dns: string[], ips: string[]) {
  const isIp = (name: string) => /^[0-9.]+$/.test(name) || name.includes(':')
  const more = settings['tls-san']
  const bound = settings['bind-address']
  const addresses = [...ips, ...more.filter(isIp), ...(bound === '0.0.0.0' ? [] : [bound])]
  return {
    dns: [...new Set([...dns, ...more.filter((name) => !isIp(name))])],
    ips: [...new Set(addresses.filter((ip) => ip !== '::'))],
  }
}

function planeComponents(plane: Plane): Component[] {
  const { environment, informers, clientFor, registry, pki, settings, serviceCidr } = plane
  const { clock, random, log } = environment
  const events = new EventSink({ client: plane.admin, clock, log })
  const clientAs = (account: string) => {
    // No bootstrap role lets an account make tokens of others; upstream's controller is root too.
    if (account === 'tokens-controller') return plane.admin
    const username = `system:serviceaccount:kube-system:${account}`
    const groups = [...ACCOUNTS, 'system:authenticated']
    return clientFor({ username, groups }, 'kube-controller-manager')
  }
  const scheduler = createScheduler({
    client: clientFor(SCHEDULER, 'kube-scheduler'),
    informers,
    clock,
    random,
    log,
    metrics: plane.metrics,
    hostName: plane.nodeName,
  })
  const loops = controllers({
    queues: new QueueMetrics(plane.metrics),
    informers,
    clientAs,
    events,
    clock,
    random,
    log,
    kinds: kindsOf(registry),
    rootCa: () => pki.ca.certificatePem,
    signCsr: (wish) => signCsr(wish, { authority: pki.ca, clock, random }),
    clusterCidrs: [parseCidr(settings['cluster-cidr'])!],
    serviceCidrs: [serviceCidr],
  })
  return [
    { name: 'follower', start: async (signal) => ({ done: plane.app.run(signal) }) },
    bootstrap(plane),
    listener(plane),
    events,
    ...[scheduler, ...loops],
    informers,
  ]
}

/** Rows do not change while this server runs: custom resources are not served yet. */
function kindsOf(registry: Registry) {
  return {
    rows: () => registry.rows,
    onChange: (listener: () => void) => {
      registry.onChange(listener)
    },
  }
}

const SCHEDULER: UserInfo = {
  username: 'system:kube-scheduler',
  groups: ['system:authenticated'],
}

/** What every cluster holds, before anybody can ask for it. */
function bootstrap(plane: Plane): Component {
  const { app, settings, serviceCidr, pki, admin, environment } = plane
  return {
    name: 'bootstrap',
    async start(signal) {
      const port = settings['https-listen-port']
      await ensureBootstrap(app, { serviceCidr, address: plane.advertiseAddress, port })
      await ensureLocalClass(app)
      const path = pathsOf(settings).server.token
      const caPem = pki.ca.certificatePem
      const { random } = environment
      await ensureJoinToken({ settings, path, caPem, client: admin, random }, signal)
      await writeKubeconfig(settings, pki)
      return { done: aborted(signal) }
    },
  }
}

async function writeKubeconfig(settings: Settings, pki: ClusterPki): Promise<void> {
  const text = formatKubeconfig({
    server: `https://127.0.0.1:${settings['https-listen-port']}`,
    caPem: pki.ca.certificatePem,
    name: 'kedge',
    user: pki.credential('admin'),
  })
  const mode = Number.parseInt(settings['write-kubeconfig-mode'], 8)
  await writeFileAtomic(settings['write-kubeconfig'], text, mode)
}

/** The port, and the certificates that it shows. */
function listener(plane: Plane): Component {
  const { environment, settings, app, pki, tunnels } = plane
  const { clock, log, random } = environment
  const start = async (signal: AbortSignal) => {
    const listening: Listening = await listen({
      app,
      clock,
      log,
      host: settings['bind-address'],
      port: settings['https-listen-port'],
      certificate: pki.credential('server'),
      cas: { client: pki.ca.certificatePem, frontProxy: pki.frontProxyCa.certificatePem },
      upgrade: app.upgrade,
    })
    const onRenewed = async (name: string) => {
      if (name === 'server') listening.renew(pki.credential('server'))
      if (name === 'admin') await writeKubeconfig(settings, pki)
    }
    const renewal = await pkiRenewal(pki, { clock, random, log, onRenewed }).start(signal)
    const stopped = aborted(signal).then(async () => {
      tunnels.close()
      await listening.close()
    })
    return { done: Promise.all([stopped, renewal.done]).then(() => {}) }
  }
  return { name: 'listener', start }
}

/** The node in this process: the same as any other, but for how the server reaches it. */
async function createOwnNode(plane: Plane): Promise<Component[]> {
  const { environment, settings, informers, tunnels, nodeName, nodeIp, transportFor } = plane
  if (!(await plane.app.claimOwnNode(nodeName))) {
    throw new UserError(
      `--node-name ${nodeName}: another machine of this cluster has that name: give this one ` +
        'another with KEDGE_NODE_NAME or --node-name',
    )
  }
  const { clock } = environment
  const user = { username: `system:node:${nodeName}`, ...FOR_NODES }
  const transport = transportFor(user, 'kubelet')
  const client = createClient(transport)
  const cluster = clusterSettingsOf(settings)
  const shared = { environment, settings, cluster, nodeName, nodeIp, client, transport, informers }
  const { components, serve } = await createNode(shared)
  const reachable: Component = {
    name: 'own node',
    async start(signal) {
      const dial = async () => {
        const [ours, theirs] = streamPair()
        void serve(theirs, signal)
        return ours
      }
      tunnels.setLocal({ name: nodeName, dial, dialAddress })
      const role = labelServerNode(plane.admin, clock, nodeName, signal)
      const done = role.catch((error) => {
        if (!signal.aborted) environment.log.warn('label the node of this server', { error })
      })
      return { done: done.then(() => aborted(signal)) }
    },
  }
  return [...components, reachable]
}

/** The last component: everything before it is ready. */
function announce({ environment, settings, nodeIp }: Plane, timeline: Timeline): Component {
  return {
    name: 'announcement',
    async start(signal) {
      const { totalMs, steps } = timeline.summary()
      const server = `https://${nodeIp}:${settings['https-listen-port']}`
      environment.log.info('started', { server, totalMs, steps })
      await notifyReady(environment.processes, signal)
      return { done: aborted(signal) }
    },
  }
}
