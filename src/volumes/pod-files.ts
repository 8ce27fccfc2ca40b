// The files of a pod that tell it its names: hosts, resolv.conf, host name. Pure.

import type { HostAlias, Pod } from '../api/schema/generated/types.ts'
import type { ResolvConf } from './contract.ts'

export type DnsSettings = {
  readonly clusterDns: readonly string[]
  readonly clusterDomain: string
}

const HOSTNAME_MAX = 63
/** Limits of the resolvers in containers (validation.MaxDNS…). */
const NAMESERVERS_MAX = 3
const SEARCHES_MAX = 32
const SEARCH_LETTERS_MAX = 2048
const SEARCH_LETTERS_EACH_MAX = 253

/** The short name of the pod, and the domain that makes it a full one. */
function hostNamesOf(pod: Pod, clusterDomain: string): { host: string; domain: string } {
  const { hostnameOverride, hostname, subdomain } = pod.spec
  const { name = '', namespace } = pod.metadata
  if (hostnameOverride) return { host: cut(hostnameOverride), domain: '' }
  const domain = subdomain ? `${subdomain}.${namespace}.svc.${clusterDomain}` : ''
  return { host: cut(hostname || name), domain }
}

/** What the kernel in the pod calls itself. */
export function kernelHostName(pod: Pod, clusterDomain: string, nodeHostName: string): string {
  if (pod.spec.hostNetwork && !pod.spec.hostnameOverride) return nodeHostName
  const { host, domain } = hostNamesOf(pod, clusterDomain)
  const isFull = pod.spec.setHostnameAsFQDN && domain !== ''
  if (!isFull) return host
  const full = `${host}.${domain}`
  if (full.length > HOSTNAME_MAX + 1) {
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (64 characters is the max, ${full.length} characters requested)`,
    )
  }
  return full
}

function cut(host: string): string {
  return host.length <= HOSTNAME_MAX ? host : host.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, '')
}

/** /etc/hosts of a pod with an address of its own. */
export function hostsFile(pod: Pod, ips: readonly string[], clusterDomain: string): string {
  const { host, domain } = hostNamesOf(pod, clusterDomain)
  const names = domain === '' ? host : `${host}.${domain}\t${host}`
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...ips.map((ip) => `${ip}\t${names}`),
    aliases(pod.spec.hostAliases),
  ].join('\n')
}

/** /etc/hosts of a pod on the node's network: the node's own, and the aliases. */
export function nodeHostsFile(pod: Pod, nodeFile: string): string {
  const header = '# Kubernetes-managed hosts file (host network).\n'
  return `${header}${nodeFile}${aliases(pod.spec.hostAliases)}`
}

function aliases(hostAliases: readonly HostAlias[] | undefined): string {
  if (!hostAliases?.length) return ''
  const lines = hostAliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`)
  return `\n# Entries added by HostAliases.\n${lines.join('')}`
}

/** resolv.conf by dnsPolicy and dnsConfig. `nodeFile` is the text of the node's own. */
export function resolvConfOf(pod: Pod, settings: DnsSettings, nodeFile: string): ResolvConf {
  const base = baseOf(pod, settings, parseResolvConf(nodeFile))
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {}
  return {
    servers: unique([...base.servers, ...nameservers]).slice(0, NAMESERVERS_MAX),
    searches: fitting(unique([...base.searches, ...searches])),
    options: mergedOptions(
      base.options,
      options.map(({ name = '', value }) => (value ? `${name}:${value}` : name)),
    ),
  }
}

function baseOf(
  pod: Pod,
  { clusterDns, clusterDomain }: DnsSettings,
  node: ResolvConf,
): ResolvConf {
  const { dnsPolicy = 'ClusterFirst', hostNetwork } = pod.spec
  if (dnsPolicy === 'None') return { servers: [], searches: [], options: [] }
  const isCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
  if (!isCluster || clusterDns.length === 0) return node
  const { namespace } = pod.metadata
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  return {
    servers: clusterDns,
    searches: unique([...own, ...node.searches]),
    options: ['ndots:5'],
  }
}

/** The last line of a kind counts, as for the C library; name servers add up. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = []
  let searches: string[] = []
  let options: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/)
    if (word === 'nameserver' && rest[0]) servers.push(rest[0])
    if (word === 'search') {
      searches = rest.filter((name) => name !== '.').map((name) => name.replace(/\.$/, ''))
    }
    if (word === 'options') options = mergedOptions(options, rest)
  }
  return { servers, searches, options }
}

/** An option given later replaces an earlier one of its name. */
function mergedOptions(base: readonly string[], more: readonly string[]): string[] {
  const byName = new Map([...base, ...more].map((option) => [option.split(':')[0], option]))
  return [...byName.values()]
}

function fitting(searches: readonly string[]): string[] {
  const some = searches
    .slice(0, SEARCHES_MAX)
    .filter((search) => search.length <= SEARCH_LETTERS_EACH_MAX)
  while (some.join(' ').length > SEARCH_LETTERS_MAX) some.pop()
  return some
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
