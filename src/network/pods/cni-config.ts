// Network configurations as the CNI specification (1.0) has them, and the one that we write. Pure.

import { type Family, parseCidr } from '../../lib/ip.ts'
import type { PortMapping } from '../contract.ts'

/** A list of plugins that together attach a pod. */
export type NetworkConfig = {
  readonly cniVersion: string
  readonly name: string
  readonly plugins: readonly PluginConfig[]
}

export type PluginConfig = {
  readonly type: string
  readonly capabilities?: Readonly<Record<string, boolean>>
  readonly [key: string]: unknown
}

export type CniResult = {
  readonly ips?: readonly { readonly address: string; readonly gateway?: string }[]
  readonly [key: string]: unknown
}

export type BridgeWish = {
  /** Ranges of this node, at most one of each family. */
  readonly podCidrs: readonly string[]
  readonly mtu: number
  readonly bridge: string
  /** Where host-local notes the addresses in use. */
  readonly addressDir: string
}

const DEFAULT_ROUTE: Record<Family, string> = { 4: '0.0.0.0/0', 6: '::/0' }
const CNI_VERSION = '1.0.0'
export const NETWORK_NAME = 'kedge'

/**
 * One bridge on the node, addresses from the node's own range. Masquerading is not left to the
 * plugin: it would run iptables for every pod, where one rule for the node does (host-rules.ts).
 */
export function bridgeConfig(wish: BridgeWish): NetworkConfig {
  const families = wish.podCidrs.map((cidr) => parseCidr(cidr)?.family ?? 4)
  return {
    cniVersion: CNI_VERSION,
    name: NETWORK_NAME,
    plugins: [
      {
        type: 'bridge',
        bridge: wish.bridge,
        isGateway: true,
        hairpinMode: true,
        ipMasq: false,
        mtu: wish.mtu,
        ipam: {
          type: 'host-local',
          dataDir: wish.addressDir,
          ranges: wish.podCidrs.map((subnet) => [{ subnet }]),
          routes: families.map((family) => ({ dst: DEFAULT_ROUTE[family] })),
        },
      },
    ],
  }
}

/** A file of /etc/cni/net.d: a list of plugins, or a single one from older times. Throws Error. */
export function parseConfig(text: string, fileName: string): NetworkConfig {
  const found = JSON.parse(text)
  const { name, cniVersion = '0.3.1' } = found
  if (typeof name !== 'string') throw new Error(`${fileName}: a CNI network needs a name`)
  if (Array.isArray(found.plugins)) return { name, cniVersion, plugins: found.plugins }
  if (typeof found.type !== 'string') throw new Error(`${fileName}: neither plugins nor a type`)
  return { name, cniVersion, plugins: [found] }
}

/** What one plugin reads on its standard input. */
export function pluginInput(
  network: NetworkConfig,
  plugin: PluginConfig,
  previous: CniResult | undefined,
  portMappings: readonly PortMapping[],
): string {
  const { capabilities, ...config } = plugin
  const takesPorts = capabilities?.portMappings === true && portMappings.length > 0
  return JSON.stringify({
    ...config,
    cniVersion: network.cniVersion,
    name: network.name,
    ...(takesPorts ? { runtimeConfig: { portMappings } } : {}),
    ...(previous === undefined ? {} : { prevResult: previous }),
  })
}

/** Addresses of a result without their prefixes, in the order given. */
export function addressesOf(result: CniResult): string[] {
  return (result.ips ?? []).map(({ address }) => address.split('/')[0]!)
}

/** True when some plugin maps host ports itself. */
export function mapsHostPorts(network: NetworkConfig): boolean {
  return network.plugins.some((plugin) => plugin.capabilities?.portMappings === true)
}
