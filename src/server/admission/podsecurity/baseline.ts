// The checks of the level `baseline`: nothing that is known to lead out of a container.

import type { LifecycleHandler, Probe } from '../../../api/schema/generated/types.ts'
import { own } from '../../../lib/own.ts'
import {
  badContainers,
  badSetters,
  type Check,
  type CheckPod,
  containersOf,
  containersText,
  exceptInUserNamespace,
  type PodLike,
  plural,
  quoted,
  sorted,
} from './checks.ts'

const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/'
const PROFILES = new Set(['RuntimeDefault', 'Localhost'])

export function isAllowedProfile(type: string): boolean {
  return PROFILES.has(type)
}

const appArmor: CheckPod = (pod) => {
  const types: string[] = []
  const setters = badSetters(pod, ({ appArmorProfile: profile }) => {
    if (profile === undefined || isAllowedProfile(profile.type)) return false
    types.push(profile.type)
    return true
  })
  const annotations = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(APPARMOR) && !isAllowedAppArmor(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
  if (annotations.length > 0) setters.push(plural(annotations.length, 'annotation'))
  if (setters.length === 0) return undefined
  const values = [...sorted(types), ...annotations]
  const who = setters.join(' and ')
  return {
    reason: plural(values.length, 'forbidden AppArmor profile'),
    detail: `${who} must not set AppArmor profile type to ${quoted(values)}`,
  }
}

function isAllowedAppArmor(profile: string): boolean {
  return profile === '' || profile === 'runtime/default' || profile.startsWith('localhost/')
}

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])

const capabilities: CheckPod = (pod) => {
  const added: string[] = []
  const names = badContainers(pod, ({ capabilities: { add = [] } = {} }) => {
    const others = add.filter((name) => !DEFAULT_CAPABILITIES.has(name))
    added.push(...others)
    return others.length > 0
  })
  if (names.length === 0) return undefined
  const what = quoted(sorted(added))
  return {
    reason: 'non-default capabilities',
    detail: `${containersText(names)} must not include ${what} in securityContext.capabilities.add`,
  }
}

const hostNamespaces: CheckPod = ({ spec }) => {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field])
  if (shared.length === 0) return undefined
  const detail = shared.map((field) => `${field}=true`).join(', ')
  return { reason: 'host namespaces', detail }
}

const hostPathVolumes: CheckPod = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name)
  if (names.length === 0) return undefined
  return {
    reason: 'hostPath volumes',
    detail: `${plural(names.length, 'volume')} ${quoted(names)}`,
  }
}

const hostPorts: CheckPod = (pod) => {
  const ports: string[] = []
  const names: string[] = []
  for (const container of containersOf(pod)) {
    const taken = (container.ports ?? []).filter(({ hostPort }) => hostPort)
    if (taken.length === 0) continue
    names.push(container.name)
    ports.push(...taken.map(({ hostPort }) => String(hostPort)))
  }
  if (names.length === 0) return undefined
  const list = sorted(ports)
  const verb = names.length === 1 ? 'uses' : 'use'
  const what = `${plural(list.length, 'hostPort')} ${list.join(', ')}`
  return { reason: 'hostPort', detail: `${containersText(names)} ${verb} ${what}` }
}

const hostsOfProbes: CheckPod = (pod) => {
  const hosts: string[] = []
  const names: string[] = []
  for (const { name, livenessProbe, readinessProbe, startupProbe, lifecycle } of containersOf(
    pod,
  )) {
    const handlers = [livenessProbe, readinessProbe, startupProbe]
    const all = [...handlers, lifecycle?.postStart, lifecycle?.preStop].flatMap(hostsIn)
    if (all.length === 0) continue
    names.push(name)
    hosts.push(...all)
  }
  if (names.length === 0) return undefined
  const [who, where] = [sorted(names), sorted(hosts)]
  const verb = who.length === 1 ? 'uses' : 'use'
  const what = `${plural(where.length, 'probe or lifecycle host')} ${quoted(where)}`
  return { reason: 'probe or lifecycle host', detail: `${containersText(who)} ${verb} ${what}` }
}

function hostsIn(handler: Probe | LifecycleHandler | undefined): string[] {
  return [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host) as string[]
}

const privileged: CheckPod = (pod) => {
  const names = badContainers(pod, (context) => context.privileged === true)
  if (names.length === 0) return undefined
  const detail = `${containersText(names)} must not set securityContext.privileged=true`
  return { reason: 'privileged', detail }
}

export const procMount: CheckPod = (pod) => {
  const types: string[] = []
  const names = badContainers(pod, ({ procMount: type }) => {
    if (type === undefined || type === 'Default') return false
    types.push(type)
    return true
  })
  if (names.length === 0) return undefined
  const what = quoted(sorted(types))
  const detail = `${containersText(names)} must not set securityContext.procMount to ${what}`
  return { reason: 'procMount', detail }
}

const SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t']

function seLinux(allowed: readonly string[]): CheckPod {
  return (pod) => {
    const types: string[] = []
    let [isUserSet, isRoleSet] = [false, false]
    const setters = badSetters(pod, ({ seLinuxOptions: options }) => {
      if (options === undefined) return false
      const { type = '', user = '', role = '' } = options
      const isTypeBad = !allowed.includes(type)
      if (isTypeBad) types.push(type)
      isUserSet ||= user !== ''
      isRoleSet ||= role !== ''
      return isTypeBad || user !== '' || role !== ''
    })
    if (setters.length === 0) return undefined
    const list = sorted(types)
    const faults = [
      ...(list.length > 0 ? [`${plural(list.length, 'type')} ${quoted(list)}`] : []),
      ...(isUserSet ? ['user may not be set'] : []),
      ...(isRoleSet ? ['role may not be set'] : []),
    ]
    const who = `${setters.join(' and ')} set forbidden securityContext.seLinuxOptions`
    return { reason: 'seLinuxOptions', detail: `${who}: ${faults.join('; ')}` }
  }
}

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod'
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/'

/** Before 1.19 seccomp was a matter of annotations. */
const seccompAnnotations: CheckPod = (pod) => {
  const keys = [SECCOMP_POD, ...containersOf(pod).map(({ name }) => SECCOMP_CONTAINER + name)]
  const bad = keys.flatMap((key) => {
    const profile = own(pod.metadata.annotations, key)
    if (profile === undefined || isAllowedSeccomp(profile)) return []
    return [`${key}=${JSON.stringify(profile)}`]
  })
  if (bad.length === 0) return undefined
  const list = sorted(bad)
  const detail = `forbidden ${plural(list.length, 'annotation')} ${list.join(', ')}`
  return { reason: 'seccompProfile', detail }
}

function isAllowedSeccomp(profile: string): boolean {
  return ['runtime/default', 'docker/default'].includes(profile) || profile.startsWith('localhost/')
}

/** What says outright that a profile is another than the allowed ones. */
export const seccomp: CheckPod = (pod) => {
  const types: string[] = []
  const setters = badSetters(pod, ({ seccompProfile: profile }) => {
    if (profile === undefined || isAllowedProfile(profile.type)) return false
    types.push(profile.type)
    return true
  })
  if (setters.length === 0) return undefined
  const what = `securityContext.seccompProfile.type to ${quoted(sorted(types))}`
  return { reason: 'seccompProfile', detail: `${setters.join(' and ')} must not set ${what}` }
}

const SYSCTLS_1_0 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
]
const SYSCTLS_1_27 = [...SYSCTLS_1_0, 'net.ipv4.ip_local_reserved_ports']
const SYSCTLS_1_29 = [
  ...SYSCTLS_1_27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
]
const SYSCTLS_1_32 = [...SYSCTLS_1_29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem']

function sysctls(allowed: readonly string[]): CheckPod {
  return ({ spec }: PodLike) => {
    const asked = (spec.securityContext?.sysctls ?? []).map(({ name }) => name)
    const others = asked.filter((name) => !allowed.includes(name))
    if (others.length === 0) return undefined
    return { reason: 'forbidden sysctls', detail: others.join(', ') }
  }
}

const windowsHostProcess: CheckPod = (pod) => {
  const setters = badSetters(pod, ({ windowsOptions }) => windowsOptions?.hostProcess === true)
  if (setters.length === 0) return undefined
  const what = 'must not set securityContext.windowsOptions.hostProcess=true'
  return { reason: 'hostProcess', detail: `${setters.join(' and ')} ${what}` }
}

export const BASELINE: readonly Check[] = [
  { id: 'appArmorProfile', versions: [{ since: 0, check: appArmor }] },
  { id: 'capabilities_baseline', versions: [{ since: 0, check: capabilities }] },
  { id: 'hostNamespaces', versions: [{ since: 0, check: hostNamespaces }] },
  { id: 'hostPathVolumes', versions: [{ since: 0, check: hostPathVolumes }] },
  { id: 'hostPorts', versions: [{ since: 0, check: hostPorts }] },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: hostsOfProbes }] },
  { id: 'privileged', versions: [{ since: 0, check: privileged }] },
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: exceptInUserNamespace(procMount) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: seLinux(SELINUX_TYPES) },
      { since: 31, check: seLinux([...SELINUX_TYPES, 'container_engine_t']) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: seccomp },
    ],
  },
  {
    id: 'sysctls',
    versions: [
      { since: 0, check: sysctls(SYSCTLS_1_0) },
      { since: 27, check: sysctls(SYSCTLS_1_27) },
      { since: 29, check: sysctls(SYSCTLS_1_29) },
      { since: 32, check: sysctls(SYSCTLS_1_32) },
    ],
  },
  { id: 'windowsHostProcess', versions: [{ since: 0, check: windowsHostProcess }] },
]
