// The network of this node: attaches pods, and keeps routes, rules and kernel settings as planned.
//
// `configure` is called with what the cluster says about this node and its peers, again on every
// change; pods can be attached once it has succeeded for the first time.

import { join } from 'node:path'
import { ContainerError } from '../../api/pod/container-error.ts'
import type { Log } from '../../lib/log.ts'
import { type Processes, runOk } from '../../lib/process.ts'
import type { Attachment, PodNetwork } from '../contract.ts'
import type { Flows } from '../flow-keeper.ts'
import {
  applyHostSettings,
  type HostFiles,
  hostSettings,
  KERNEL_MODULES,
} from '../host-settings.ts'
import type { Nft, NftChange } from '../nft.ts'
import { Cni, DEFAULT_PLUGIN_DIRS, readUserConfig } from './cni.ts'
import {
  addressesOf,
  bridgeConfig,
  mapsHostPorts,
  NETWORK_NAME,
  type NetworkConfig,
} from './cni-config.ts'
import {
  acceptsForward,
  droppingForwardChains,
  forwardAccepts,
  type HostPort,
  hostPortChange,
  hostPortTranslations,
  NODE_TABLE,
  nodeTable,
} from './host-rules.ts'
import { collectAddresses } from './leaks.ts'
import {
  type Peer,
  parseAddresses,
  parseNeighbours,
  parseRoutes,
  planCommands,
  planRoutes,
  ROUTE_PROTOCOL,
  type RoutePlan,
  routeDevices,
  VXLAN_DEVICE,
  VXLAN_ID,
  VXLAN_OVERHEAD_BYTES,
  VXLAN_PORT,
  vxlanMac,
} from './routes.ts'

export type NodeNetworkOptions = {
  processes: Processes
  nft: Nft
  flows: Flows
  hostFiles: HostFiles
  log: Log
  /** Addresses of Services. */
  serviceCidr: string
  /** Gone after a reboot, as the attachments are: /run/kedge/network */
  runDir: string
  /** A folder like /etc/cni/net.d; what lies there wins over our own bridge. */
  userConfigDir: string | undefined
  /** Default: the usual ones. */
  pluginDirs?: readonly string[]
  /** Default: kedge0. */
  bridge?: string
}

export type NetworkSettings = {
  readonly nodeName: string
  /** Ranges of this node's pods, at most one per family. */
  readonly podCidrs: readonly string[]
  /** Ranges of all pods of the cluster. */
  readonly clusterCidrs: readonly string[]
  readonly peers: readonly Peer[]
}

type Link = { ifname: string; mtu: number }

const MTU_DEFAULT = 1500

export class NodeNetwork implements PodNetwork {
  readonly #options: NodeNetworkOptions
  readonly #cni: Cni
  readonly #bridge: string
  readonly #hostPorts = new Map<string, HostPort[]>()
  /** Tables of others that have rules of ours. */
  readonly #letThrough = new Set<string>()
  #network: NetworkConfig | undefined
  #isPrepared = false
  /** The bridge, which the plugin makes with the first pod, was there when settings were made. */
  #hasBridge = false

  constructor(options: NodeNetworkOptions) {
    this.#options = options
    this.#bridge = options.bridge ?? 'kedge0'
    this.#cni = new Cni({
      processes: options.processes,
      log: options.log,
      pluginDirs: options.pluginDirs ?? DEFAULT_PLUGIN_DIRS,
      cacheDir: join(options.runDir, 'attached'),
    })
  }

  /** Makes routes, rules and settings so; safe to repeat. Calls must not overlap. */
  async configure(settings: NetworkSettings, signal: AbortSignal): Promise<void> {
    if (!this.#isPrepared) await this.#prepare(signal)
    const skipped = [this.#bridge, VXLAN_DEVICE, 'lo']
    const local = parseAddresses(await this.#ip(['-j', 'addr', 'show'], signal), skipped)
    const plan = planRoutes(settings.peers, local)
    const links: Link[] = JSON.parse(await this.#ip(['-j', 'link', 'show'], signal))
    const mtu = await this.#mtu(links, plan.neighbours.length > 0, signal)
    const user = await this.#userConfig()
    this.#network =
      user ??
      bridgeConfig({
        podCidrs: settings.podCidrs,
        mtu,
        bridge: this.#bridge,
        addressDir: join(this.#options.runDir, 'addresses'),
      })
    // The guard of localhost stands in these: they come before the settings that need it.
    await this.#applyRules(settings, signal)
    this.#tellFlows('again')
    const hasVxlan = links.some(({ ifname }) => ifname === VXLAN_DEVICE)
    if (user === undefined) await this.#applyRoutes(plan, settings, hasVxlan, signal)
    this.#hasBridge = links.some(({ ifname }) => ifname === this.#bridge)
    const ways = [...(this.#hasBridge ? [this.#bridge] : []), ...routeDevices(plan, local)]
    const hasIpv6 = settings.podCidrs.some((cidr) => cidr.includes(':'))
    await this.#applySettings(hasIpv6, user === undefined ? ways : [])
  }

  /** Whether a change that somebody else made calls for `configure`. */
  concerns({ table, verb, isForwardChain }: NftChange): boolean {
    if (table === NODE_TABLE || isForwardChain) return true
    return verb === 'delete' && this.#letThrough.has(table)
  }

  async attach(attachment: Attachment, signal: AbortSignal): Promise<string[]> {
    const network = this.#network
    if (network === undefined) {
      const why = 'the node has no pod range yet'
      throw new ContainerError('FailedCreatePodSandBox', `network is not ready: ${why}`)
    }
    try {
      const result = await this.#cni.add(network, attachment, signal)
      const ips = addressesOf(result)
      if (!this.#hasBridge && network.name === NETWORK_NAME) {
        this.#hasBridge = true
        await this.#applySettings(false, [this.#bridge])
      }
      if (!mapsHostPorts(network)) await this.#openPorts(attachment, ips[0], signal)
      return ips
    } catch (cause) {
      signal.throwIfAborted()
      const name = `${attachment.podName}_${attachment.podNamespace}`
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `failed to set up network for pod "${name}": ${why}`
      throw new ContainerError('FailedCreatePodSandBox', message, { cause })
    }
  }

  async detach(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const ports = this.#hostPorts.get(attachment.id)
    if (ports !== undefined) {
      this.#hostPorts.delete(attachment.id)
      // The table may have been flushed by somebody else; then they are closed already.
      await this.#options.nft
        .apply(hostPortChange('delete', ports), signal)
        .catch((error) => this.#options.log.warn('closing host ports failed', { error }))
      this.#tellFlows()
    }
    await this.#cni.del(attachment, signal)
  }

  async collect(liveIds: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    for (const { id } of await this.#cni.attached()) {
      if (liveIds.has(id)) continue
      const names = { podName: '', podNamespace: '', ports: [] }
      await this.detach({ id, netnsPath: '/nonexistent', ...names }, signal)
    }
    await collectAddresses(join(this.#options.runDir, 'addresses', NETWORK_NAME), liveIds)
  }

  /** Once per run of the agent: kernel modules, and the host ports of pods that outlived us. */
  async #prepare(signal: AbortSignal): Promise<void> {
    const load = ['modprobe', '--all', '--quiet', ...KERNEL_MODULES]
    // Built-in or missing modules are no reason to stop: what needs them says so itself.
    await this.#options.processes.run(load, signal).catch(() => signal.throwIfAborted())
    for (const { id, result, ports } of await this.#cni.attached()) {
      const [podIp] = addressesOf(result)
      if (podIp === undefined || ports.length === 0) continue
      this.#hostPorts.set(
        id,
        ports.map((port) => ({ ...port, podIp })),
      )
    }
    this.#isPrepared = true
  }

  async #openPorts(attachment: Attachment, ip: string | undefined, signal: AbortSignal) {
    if (attachment.ports.length === 0 || ip === undefined) return
    const ports = attachment.ports.map((port) => ({ ...port, podIp: ip }))
    if (this.#hostPorts.has(attachment.id)) return
    // Known first: whoever writes the table anew from now on writes them too.
    this.#hostPorts.set(attachment.id, ports)
    try {
      await this.#options.nft.apply(hostPortChange('add', ports), signal)
    } catch (error) {
      this.#hostPorts.delete(attachment.id)
      throw error
    }
    this.#tellFlows()
  }

  #tellFlows(again?: 'again'): void {
    const translations = hostPortTranslations([...this.#hostPorts.values()].flat())
    this.#options.flows.translates('host ports', translations, again)
  }

  async #userConfig(): Promise<NetworkConfig | undefined> {
    const dir = this.#options.userConfigDir
    return dir === undefined ? undefined : readUserConfig(dir)
  }

  /** The smallest packet size of the ways out, less what VXLAN takes. */
  async #mtu(links: readonly Link[], needsVxlan: boolean, signal: AbortSignal): Promise<number> {
    const routes: { dev?: string }[] = JSON.parse(
      (await this.#ip(['-j', 'route', 'show', 'default'], signal)) || '[]',
    )
    const outward = links.filter(({ ifname }) => routes.some(({ dev }) => dev === ifname))
    const mtu = Math.min(...outward.map((link) => link.mtu), MTU_DEFAULT)
    return needsVxlan ? mtu - VXLAN_OVERHEAD_BYTES : mtu
  }

  async #applySettings(hasIpv6: boolean, podDevices: readonly string[]): Promise<void> {
    const settings = hostSettings({ hasIpv6, podDevices })
    const missing = await applyHostSettings(settings, this.#options.hostFiles)
    for (const { path, without } of missing) {
      if (without === undefined) throw new Error(`the kernel has no setting ${path}`)
      this.#options.log.warn(`the kernel has no setting ${path}: ${without}`)
    }
  }

  async #applyRules(settings: NetworkSettings, signal: AbortSignal): Promise<void> {
    const { clusterCidrs, podCidrs } = settings
    const { nft, serviceCidr } = this.#options
    const rules = { bridge: this.#bridge, clusterCidrs, podCidrs, serviceCidr }
    await nft.apply(nodeTable(rules, [...this.#hostPorts.values()].flat()), signal)
    const listing = await nft.read(['-j', 'list', 'chains'], signal)
    this.#letThrough.clear()
    for (const chain of droppingForwardChains(JSON.parse(listing || '{}'))) {
      this.#letThrough.add(`${chain.family} ${chain.table}`)
      const place = [chain.family, chain.table, chain.name]
      const rulesNow = await nft.read(['list', 'chain', ...place], signal)
      if (acceptsForward(rulesNow, clusterCidrs)) continue
      await nft.apply(forwardAccepts(chain, clusterCidrs), signal)
    }
  }

  async #applyRoutes(
    plan: RoutePlan,
    settings: NetworkSettings,
    hasVxlan: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const needsVxlan = plan.neighbours.length > 0
    if (needsVxlan) await this.#makeVxlan(settings, hasVxlan, signal)
    else if (hasVxlan) await this.#ip(['link', 'del', VXLAN_DEVICE], signal)
    const routes = await this.#ip(['-j', 'route', 'show', 'proto', String(ROUTE_PROTOCOL)], signal)
    const list = ['bridge', '-j', 'fdb', 'show', 'dev', VXLAN_DEVICE]
    const fdb = needsVxlan ? await runOk(this.#options.processes, list, signal) : ''
    const present = { routes: parseRoutes(routes), neighbours: parseNeighbours(fdb) }
    const commands = planCommands(plan, present)
    await this.#batch('ip', commands.ip, signal)
    if (needsVxlan) await this.#batch('bridge', commands.bridge, signal)
  }

  async #makeVxlan(settings: NetworkSettings, isThere: boolean, signal: AbortSignal) {
    const mac = vxlanMac(settings.nodeName)
    // Without a source address of its own the device follows the node when its address changes.
    const kind = `type vxlan id ${VXLAN_ID} dstport ${VXLAN_PORT} nolearning`
    const make = `link add ${VXLAN_DEVICE} address ${mac} ${kind}`
    const addresses = settings.podCidrs
      .filter((cidr) => !cidr.includes(':'))
      .map((cidr) => `addr replace ${cidr.split('/')[0]}/32 dev ${VXLAN_DEVICE}`)
    const lines = [...(isThere ? [] : [make]), ...addresses, `link set ${VXLAN_DEVICE} up`]
    await this.#batch('ip', lines, signal)
  }

  #ip(args: readonly string[], signal: AbortSignal): Promise<string> {
    return runOk(this.#options.processes, ['ip', ...args], signal)
  }

  async #batch(program: 'ip' | 'bridge', lines: readonly string[], signal: AbortSignal) {
    if (lines.length === 0) return
    const stdin = `${lines.join('\n')}\n`
    await runOk(this.#options.processes, [program, '-batch', '-'], signal, { stdin })
  }
}
