// Every option, once: this table makes the flags, the keys of the configuration file, the
// environment variables, their help and their checks.

import {
  absolute,
  address,
  cidr,
  domain,
  fileMode,
  hostAddress,
  label,
  nodeName,
  oneOf,
  port,
  portRange,
  serverName,
  serverUrl,
  sysctlPattern,
  taint,
} from './option-checks.ts'

export type Role = 'server' | 'agent'

/** Headings of the help, in this order. */
export type Group = 'Joining' | 'Node' | 'API' | 'Cluster' | 'Files' | 'Log'

export type Option = {
  /** As on the command line without the dashes, and as in the configuration file. */
  readonly name: OptionName
  readonly kind: 'text' | 'number' | 'switch' | 'list'
  readonly group: Group
  /** What the help calls the value; a switch has none. */
  readonly value?: string
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
  'admission-control-config-file': string | undefined
  'service-node-port-range': string
  token: string | undefined
  'token-file': string | undefined
  'write-kubeconfig': string
  'write-kubeconfig-mode': string
  'disable-agent': boolean
  'containerd-address': string | undefined
  'private-registry': string | undefined
  server: string | undefined
  'tls-san': string[]
  'node-label': string[]
  'node-taint': string[]
  'allowed-unsafe-sysctls': string[]
  'log-level': string
  'log-format': string
}

export type OptionName = keyof Settings

const BOTH = ['server', 'agent'] as const

export const OPTIONS: readonly Option[] = [
  {
    name: 'server',
    kind: 'text',
    group: 'Joining',
    value: 'url',
    roles: ['agent'],
    help: 'address of the server, such as https://192.168.1.10:6443',
    check: serverUrl,
  },
  {
    name: 'token',
    kind: 'text',
    group: 'Joining',
    value: 'token',
    roles: BOTH,
    help: 'what kedge token create printed; on a server: the token it begins with',
  },
  {
    name: 'token-file',
    kind: 'text',
    group: 'Joining',
    value: 'path',
    roles: BOTH,
    help: 'file that holds the token',
    check: absolute,
  },
  {
    name: 'node-name',
    kind: 'text',
    group: 'Node',
    value: 'name',
    roles: BOTH,
    help: 'name of this node (default: the host name)',
    check: nodeName,
  },
  {
    name: 'node-ip',
    kind: 'text',
    group: 'Node',
    value: 'ip',
    roles: BOTH,
    help: 'IPv4 address of this node (default: that of the default route)',
    check: hostAddress,
  },
  {
    name: 'node-label',
    kind: 'list',
    group: 'Node',
    value: 'key=value',
    roles: BOTH,
    help: 'label for the node (repeatable)',
    check: label,
  },
  {
    name: 'node-taint',
    kind: 'list',
    group: 'Node',
    value: 'key=value:effect',
    roles: BOTH,
    help: 'taint for the node (repeatable)',
    check: taint,
  },
  {
    name: 'allowed-unsafe-sysctls',
    kind: 'list',
    group: 'Node',
    value: 'pattern',
    roles: BOTH,
    help: 'sysctl that pods may set besides the safe ones, such as kernel.msg* (repeatable)',
    check: sysctlPattern,
  },
  {
    name: 'containerd-address',
    kind: 'text',
    group: 'Node',
    value: 'path',
    roles: BOTH,
    help: 'socket of a running containerd (default: one of our own)',
    check: absolute,
  },
  {
    name: 'private-registry',
    kind: 'text',
    group: 'Node',
    value: 'path',
    roles: BOTH,
    help: 'mirrors and accounts (default: /etc/kedge/registries.yaml)',
    check: absolute,
  },
  {
    name: 'disable-agent',
    kind: 'switch',
    group: 'Node',
    roles: ['server'],
    default: false,
    help: 'run no node on this machine',
  },
  {
    name: 'https-listen-port',
    kind: 'number',
    group: 'API',
    value: 'port',
    roles: ['server'],
    default: 6443,
    help: 'port of the Kubernetes API',
    check: port,
  },
  {
    name: 'bind-address',
    kind: 'text',
    group: 'API',
    value: 'ip',
    roles: ['server'],
    default: '0.0.0.0',
    help: 'address to listen on',
    check: address,
  },
  {
    name: 'advertise-address',
    kind: 'text',
    group: 'API',
    value: 'ip',
    roles: ['server'],
    help: 'IPv4 address that nodes and pods reach the API at (default: the node address)',
    check: hostAddress,
  },
  {
    name: 'tls-san',
    kind: 'list',
    group: 'API',
    value: 'name',
    roles: ['server'],
    help: 'further name or address for the serving certificate (repeatable)',
    check: serverName,
  },
  {
    name: 'cluster-cidr',
    kind: 'text',
    group: 'Cluster',
    value: 'range',
    roles: ['server'],
    default: '10.42.0.0/16',
    help: 'range of pod addresses',
    check: cidr,
  },
  {
    name: 'service-cidr',
    kind: 'text',
    group: 'Cluster',
    value: 'range',
    roles: ['server'],
    default: '10.43.0.0/16',
    help: 'range of Service addresses',
    check: cidr,
  },
  {
    name: 'cluster-dns',
    kind: 'text',
    group: 'Cluster',
    value: 'ip',
    roles: ['server'],
    help: 'address of the cluster DNS (default: the tenth of the Service range)',
    check: hostAddress,
  },
  {
    name: 'cluster-domain',
    kind: 'text',
    group: 'Cluster',
    value: 'domain',
    roles: ['server'],
    default: 'cluster.local',
    help: 'DNS domain of the cluster',
    check: domain,
  },
  {
    name: 'admission-control-config-file',
    kind: 'text',
    group: 'Cluster',
    value: 'path',
    roles: ['server'],
    help: 'AdmissionConfiguration: defaults and exemptions of Pod Security',
    check: absolute,
  },
  {
    name: 'service-node-port-range',
    kind: 'text',
    group: 'Cluster',
    value: 'range',
    roles: ['server'],
    default: '30000-32767',
    help: 'range of node ports',
    check: portRange,
  },
  {
    name: 'data-dir',
    kind: 'text',
    group: 'Files',
    value: 'path',
    roles: BOTH,
    default: '/var/lib/kedge',
    help: 'folder that holds all state',
    check: absolute,
  },
  {
    name: 'run-dir',
    kind: 'text',
    group: 'Files',
    value: 'path',
    roles: BOTH,
    default: '/run/kedge',
    help: 'folder for sockets, namespaces and FIFOs',
    check: absolute,
  },
  {
    name: 'pod-log-dir',
    kind: 'text',
    group: 'Files',
    value: 'path',
    roles: BOTH,
    default: '/var/log/pods',
    help: 'folder for the logs of containers',
    check: absolute,
  },
  {
    name: 'write-kubeconfig',
    kind: 'text',
    group: 'Files',
    value: 'path',
    roles: ['server'],
    default: '/etc/kedge/kubeconfig.yaml',
    help: 'file that the kubeconfig of the admin is written to',
    check: absolute,
  },
  {
    name: 'write-kubeconfig-mode',
    kind: 'text',
    group: 'Files',
    value: 'mode',
    roles: ['server'],
    default: '0600',
    help: 'mode of that file',
    check: fileMode,
  },
  {
    name: 'log-level',
    kind: 'text',
    group: 'Log',
    value: 'level',
    roles: BOTH,
    default: 'info',
    help: 'debug, info, warn or error',
    check: oneOf('debug', 'info', 'warn', 'error'),
  },
  {
    name: 'log-format',
    kind: 'text',
    group: 'Log',
    value: 'format',
    roles: BOTH,
    default: 'text',
    help: 'text or json',
    check: oneOf('text', 'json'),
  },
]
