// Every option, once: this table makes the flags, the keys of the configuration file, the
// environment variables, their help and their checks.

import { parseCidr, parseIp } from '../lib/ip.ts'

export type Role = 'server' | 'agent'

export type Option = {
  /** As on the command line without the dashes, and as in the configuration file. */
  readonly name: OptionName
  readonly kind: 'text' | 'number' | 'switch' | 'list'
  readonly roles: readonly Role[]
  readonly help: string
  readonly default?: string | number | boolean
  /** Says what is wrong with a value, and how to mend it; undefined when it is fine. */
  readonly check?: (value: string | number) => string | undefined
}

export type Settings = {
  'data-dir': string
  'run-dir': string
  'pod-log-dir': string
  'https-listen-port': number
  'bind-address': string
  'advertise-address': string | undefined
  'node-name': string | undefined
  'node-ip': string | undefined
  'cluster-cidr': string
  'service-cidr': string
  'cluster-dns': string | undefined
  'cluster-domain': string
  'service-node-port-range': string
  token: string | undefined
  'token-file': string | undefined
  'write-kubeconfig': string
  'write-kubeconfig-mode': string
  'disable-agent': boolean
  'containerd-address': string | undefined
  server: string | undefined
  'tls-san': string[]
  'node-label': string[]
  'node-taint': string[]
  'log-level': string
  'log-format': string
}

export type OptionName = keyof Settings

const BOTH = ['server', 'agent'] as const

export const OPTIONS: readonly Option[] = [
  {
    name: 'data-dir',
    kind: 'text',
    roles: BOTH,
    default: '/var/lib/kedge',
    help: 'folder that holds all state',
    check: absolute,
  },
  {
    name: 'run-dir',
    kind: 'text',
    roles: BOTH,
    default: '/run/kedge',
    help: 'folder for sockets, namespaces and FIFOs',
    check: absolute,
  },
  {
    name: 'pod-log-dir',
    kind: 'text',
    roles: BOTH,
    default: '/var/log/pods',
    help: 'folder for the logs of containers',
    check: absolute,
  },
  {
    name: 'https-listen-port',
    kind: 'number',
    roles: ['server'],
    default: 6443,
    help: 'port of the Kubernetes API',
    check: port,
  },
  {
    name: 'bind-address',
    kind: 'text',
    roles: ['server'],
    default: '0.0.0.0',
    help: 'address to listen on',
    check: address,
  },
  {
    name: 'advertise-address',
    kind: 'text',
    roles: ['server'],
    help: 'address that nodes and pods reach the API at (default: the node address)',
    check: address,
  },
  {
    name: 'node-name',
    kind: 'text',
    roles: BOTH,
    help: 'name of this node (default: the host name)',
    check: nodeName,
  },
  {
    name: 'node-ip',
    kind: 'text',
    roles: BOTH,
    help: 'address of this node (default: that of the default route)',
    check: address,
  },
  {
    name: 'cluster-cidr',
    kind: 'text',
    roles: ['server'],
    default: '10.42.0.0/16',
    help: 'range of pod addresses',
    check: cidr,
  },
  {
    name: 'service-cidr',
    kind: 'text',
    roles: ['server'],
    default: '10.43.0.0/16',
    help: 'range of Service addresses',
    check: cidr,
  },
  {
    name: 'cluster-dns',
    kind: 'text',
    roles: BOTH,
    help: 'address of the cluster DNS (default: the tenth of the Service range)',
    check: address,
  },
  {
    name: 'cluster-domain',
    kind: 'text',
    roles: BOTH,
    default: 'cluster.local',
    help: 'DNS domain of the cluster',
    check: domain,
  },
  {
    name: 'service-node-port-range',
    kind: 'text',
    roles: ['server'],
    default: '30000-32767',
    help: 'range of node ports',
    check: portRange,
  },
  {
    name: 'token',
    kind: 'text',
    roles: BOTH,
    help: 'join token; on the server: the secret that agents must present',
  },
  {
    name: 'token-file',
    kind: 'text',
    roles: BOTH,
    help: 'file that holds the join token',
    check: absolute,
  },
  {
    name: 'write-kubeconfig',
    kind: 'text',
    roles: ['server'],
    default: '/etc/kedge/kubeconfig.yaml',
    help: 'where to write the admin kubeconfig',
    check: absolute,
  },
  {
    name: 'write-kubeconfig-mode',
    kind: 'text',
    roles: ['server'],
    default: '0600',
    help: 'file mode of the admin kubeconfig',
    check: fileMode,
  },
  {
    name: 'disable-agent',
    kind: 'switch',
    roles: ['server'],
    default: false,
    help: 'run no node on this machine',
  },
  {
    name: 'containerd-address',
    kind: 'text',
    roles: BOTH,
    help: 'socket of a running containerd (default: one of our own)',
    check: absolute,
  },
  {
    name: 'server',
    kind: 'text',
    roles: ['agent'],
    help: 'address of the server: https://ADDRESS:6443',
    check: serverUrl,
  },
  {
    name: 'tls-san',
    kind: 'list',
    roles: ['server'],
    help: 'further name or address for the serving certificate (repeatable)',
  },
  {
    name: 'node-label',
    kind: 'list',
    roles: BOTH,
    help: 'label for the node: key=value (repeatable)',
    check: label,
  },
  {
    name: 'node-taint',
    kind: 'list',
    roles: BOTH,
    help: 'taint for the node: key=value:effect (repeatable)',
    check: taint,
  },
  {
    name: 'log-level',
    kind: 'text',
    roles: BOTH,
    default: 'info',
    help: 'debug, info, warn or error',
    check: oneOf('debug', 'info', 'warn', 'error'),
  },
  {
    name: 'log-format',
    kind: 'text',
    roles: BOTH,
    default: 'text',
    help: 'text or json',
    check: oneOf('text', 'json'),
  },
]

function absolute(value: string | number): string | undefined {
  return String(value).startsWith('/') ? undefined : 'give an absolute path'
}

function port(value: string | number): string | undefined {
  const number = Number(value)
  const ok = Number.isInteger(number) && number >= 1 && number <= 65535
  return ok ? undefined : 'give a port from 1 to 65535'
}

function address(value: string | number): string | undefined {
  return parseIp(String(value)) ? undefined : 'give an IP address'
}

function cidr(value: string | number): string | undefined {
  const range = parseCidr(String(value))
  if (range === undefined) return 'give a range such as 10.42.0.0/16'
  return range.family === 4 && range.prefix <= 24
    ? undefined
    : 'give an IPv4 range of /24 or larger'
}

function nodeName(value: string | number): string | undefined {
  const ok = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(String(value)) && String(value).length <= 63
  return ok ? undefined : 'give lower case letters, digits, dots and dashes, at most 63'
}

function domain(value: string | number): string | undefined {
  return /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(String(value)) ? undefined : 'give a DNS domain'
}

function portRange(value: string | number): string | undefined {
  const [low, high] = String(value).split('-').map(Number)
  const ok = port(low ?? 0) === undefined && port(high ?? 0) === undefined && low! < high!
  return ok ? undefined : 'give a range such as 30000-32767'
}

function fileMode(value: string | number): string | undefined {
  return /^0?[0-7]{3}$/.test(String(value)) ? undefined : 'give an octal mode such as 0600'
}

function serverUrl(value: string | number): string | undefined {
  const url = URL.parse(String(value))
  return url?.protocol === 'https:' && url.pathname === '/'
    ? undefined
    : 'give https://ADDRESS:PORT'
}

function label(value: string | number): string | undefined {
  return /^[^=\s]+=[^\s]*$/.test(String(value)) ? undefined : 'give key=value'
}

function taint(value: string | number): string | undefined {
  const ok = /^[^=:\s]+(=[^:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$/.test(String(value))
  return ok ? undefined : 'give key=value:NoSchedule, PreferNoSchedule or NoExecute'
}

function oneOf(...words: string[]) {
  return (value: string | number) =>
    words.includes(String(value)) ? undefined : `give one of ${words.join(', ')}`
}
