// Which kernel settings a pod may have: only those that belong to a namespace of its own, the safe
// ones by themselves, others when the node's owner has listed them. Pure; words are the kubelet's.

export type SysctlNamespace = 'IPC' | 'Net'

/** What the pod shares with the node: its settings there are the node's. */
export type HostShares = { readonly hostNetwork: boolean; readonly hostIpc: boolean }

/** Patterns of settings that pods of this node may have. */
export type SysctlList = {
  readonly exact: ReadonlyMap<string, SysctlNamespace>
  readonly prefixes: readonly (readonly [prefix: string, namespace: SysctlNamespace])[]
}

/** The kernel since which each belongs to a namespace; before that it is the node's. */
const SAFE: readonly (readonly [name: string, sinceKernel: string])[] = [
  ['kernel.shm_rmid_forced', '0'],
  ['net.ipv4.ip_local_port_range', '0'],
  ['net.ipv4.tcp_syncookies', '0'],
  ['net.ipv4.ping_group_range', '0'],
  ['net.ipv4.ip_unprivileged_port_start', '0'],
  ['net.ipv4.ip_local_reserved_ports', '3.16'],
  ['net.ipv4.tcp_keepalive_time', '4.5'],
  ['net.ipv4.tcp_fin_timeout', '4.6'],
  ['net.ipv4.tcp_keepalive_intvl', '4.5'],
  ['net.ipv4.tcp_keepalive_probes', '4.5'],
  ['net.ipv4.tcp_rmem', '4.15'],
  ['net.ipv4.tcp_wmem', '4.15'],
]

const IPC_NAMES = new Set([
  ...['kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced'],
  // With an asterisk behind them: all of a kind.
  ...['kernel.shm', 'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.msg'],
])

const NAME_MAX = 253
const SEGMENT = '[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?'
const NAME = new RegExp(`^(?:${SEGMENT}[./])*${SEGMENT}$`)
const PATTERN = new RegExp(`^(?:${SEGMENT}[./])*(?:[a-z0-9][-_a-z0-9]*)?[a-z0-9*]$`)

/** Throws when one of `patterns` is none, or names what belongs to the node as a whole. */
export function sysctlList(kernelVersion: string, patterns: readonly string[]): SysctlList {
  const safe = SAFE.filter(([, since]) => isSince(kernelVersion, since)).map(([name]) => name)
  const exact = new Map<string, SysctlNamespace>()
  const prefixes: [string, SysctlNamespace][] = []
  for (const pattern of [...safe, ...patterns]) {
    const problem = sysctlPatternProblem(pattern)
    if (problem !== undefined) throw new Error(problem)
    const { name, isPrefix } = partsOf(pattern)
    if (isPrefix) prefixes.push([name, namespaceOfSysctl(name)!])
    else exact.set(name, namespaceOfSysctl(name)!)
  }
  return { exact, prefixes }
}

/** What is wrong with `pattern` (`kernel.msg*`, `net.core.somaxconn`); undefined when nothing. */
export function sysctlPatternProblem(pattern: string): string | undefined {
  if (pattern.length > NAME_MAX || !PATTERN.test(pattern)) {
    return `sysctl ${JSON.stringify(pattern)} must have at most ${NAME_MAX} characters and match regex ${PATTERN.source}`
  }
  const { name } = partsOf(pattern)
  if (namespaceOfSysctl(name) !== undefined) return undefined
  return `the sysctls ${JSON.stringify(name)} are not known to be namespaced`
}

/** Why a pod may not have the setting; undefined when it may. */
export function sysctlProblem(
  list: SysctlList,
  name: string,
  { hostNetwork, hostIpc }: HostShares,
): string | undefined {
  const plain = normalSysctl(name)
  const namespace =
    list.exact.get(plain) ?? list.prefixes.find(([prefix]) => plain.startsWith(prefix))?.[1]
  if (namespace === undefined || !isSysctlName(name)) return `"${plain}" not allowlisted`
  const isShared = namespace === 'IPC' ? hostIpc : hostNetwork
  return isShared ? `"${plain}" not allowed with host ${namespace} enabled` : undefined
}

/** The namespace that holds a setting; undefined when it is the node's own. */
export function namespaceOfSysctl(name: string): SysctlNamespace | undefined {
  if (IPC_NAMES.has(name) || name.startsWith('fs.mqueue.')) return 'IPC'
  return name.startsWith('net.') ? 'Net' : undefined
}

export function isSysctlName(name: string): boolean {
  return name.length <= NAME_MAX && NAME.test(name)
}

/** With dots between its parts; a dot inside a part (`eno2.100`) is then a slash. */
export function normalSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  return first === '/' ? swapped(name) : name
}

/** Below /proc/sys, of a name in its normal form. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${swapped(name)}`
}

function swapped(name: string): string {
  return name.replaceAll(/[./]/g, (sign) => (sign === '.' ? '/' : '.'))
}

function partsOf(pattern: string): { name: string; isPrefix: boolean } {
  const name = normalSysctl(pattern)
  const at = name.indexOf('*')
  return at < 0 ? { name, isPrefix: false } : { name: name.slice(0, at), isPrefix: true }
}

function isSince(kernelVersion: string, since: string): boolean {
  const [major = 0, minor = 0] = kernelVersion.split('.').map((part) => Number.parseInt(part, 10))
  const [wantedMajor = 0, wantedMinor = 0] = since.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
