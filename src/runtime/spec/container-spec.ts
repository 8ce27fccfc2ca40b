// From a container of a pod to the OCI runtime specification that runc carries out. Pure.

import { ContainerError } from '../../api/pod/container-error.ts'
import type {
  Container,
  Pod,
  SeccompProfile,
  SecurityContext,
} from '../../api/schema/generated/types.ts'
import type { MountConfig } from '../../volumes/contract.ts'
import type { ContainerConfig } from '../contract.ts'
import { planCapabilities } from './capabilities.ts'
import type { OciDevice, OciMount, OciNamespace, OciSeccomp, OciSpec } from './oci.ts'
import { containerResources } from './resources.ts'
import { defaultSeccomp } from './seccomp-default.ts'
import { nonRootProblem, resolveUser, type UserFiles } from './users.ts'

export type SpecInput = {
  readonly id: string
  readonly config: ContainerConfig
  readonly sandbox: SandboxParts
  readonly host: HostFacts
  readonly rootfs: string
  readonly userFiles: UserFiles
  /** Profile named by seccompProfile.localhostProfile, already read. */
  readonly localhostSeccomp: OciSeccomp | undefined
}

/** What the containers of a pod share. A namespace that is undefined is the host's. */
export type SandboxParts = {
  readonly netNamespace: string | undefined
  readonly ipcNamespace: string | undefined
  readonly utsNamespace: string | undefined
  /** `own`: each container has one of its own. */
  readonly pidNamespace: 'own' | 'host' | { path: string }
  readonly hostname: string
  readonly shmDir: string
  /** Used where the pod's mounts do not bring their own. */
  readonly resolvConf: string | undefined
  readonly hostnameFile: string | undefined
}

export type HostFacts = {
  readonly arch: string
  readonly cgroupVersion: 1 | 2
  /** The agent's bounding set: nobody can be given more. */
  readonly capabilities: ReadonlySet<string>
  /** The agent's own score; runc may not be able to go below it. */
  readonly oomScoreAdj: number
  /** Files of /sys that containers must not see and that exist here. */
  readonly sensitivePaths: readonly string[]
  /** For privileged containers. */
  readonly devices: () => readonly OciDevice[]
}

const MASKED_PATHS = [
  ...['/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys'],
  ...['/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug'],
  ...['/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'],
]
const READONLY_PATHS = [
  ...['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
]
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Throws ContainerError when the pod asks for what cannot be. */
export function containerSpec(input: SpecInput): OciSpec {
  const { config, host, sandbox } = input
  const security = effectiveSecurity(config.pod, config.container)
  refuseUnsupported(config.pod, security)
  const user = userOf(input, security)
  const isPrivileged = security.privileged ?? false
  const capabilities = planCapabilities(
    {
      privileged: isPrivileged,
      add: security.capabilities?.add ?? [],
      drop: security.capabilities?.drop ?? [],
    },
    host.capabilities,
  )
  const seccomp = seccompOf(input, security, capabilities)
  const isUnmasked = isPrivileged || security.procMount === 'Unmasked'
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: config.container.tty ?? false,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: processArgs(config),
      env: processEnv(config, sandbox.hostname),
      cwd: config.container.workingDir || config.image.config.workingDir || '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: security.allowPrivilegeEscalation === false && !isPrivileged,
      oomScoreAdj: Math.max(config.oomScoreAdj, host.oomScoreAdj),
    },
    root: { path: input.rootfs, readonly: security.readOnlyRootFilesystem ?? false },
    mounts: planMounts(config, sandbox, isPrivileged),
    annotations: annotationsOf(config),
    linux: {
      cgroupsPath: `/${config.cgroupParent}/${input.id}`,
      namespaces: planNamespaces(sandbox, host, isPrivileged),
      resources: containerResources(config.pod, config.container, isPrivileged),
      ...(isPrivileged ? { devices: [...host.devices()] } : {}),
      ...(seccomp === undefined ? {} : { seccomp }),
      maskedPaths: isUnmasked ? [] : [...MASKED_PATHS, ...host.sensitivePaths],
      readonlyPaths: isUnmasked ? [] : [...READONLY_PATHS],
      ...rootPropagation(config.mounts),
    },
  }
}

/** The container's security context over the pod's. */
export function effectiveSecurity(pod: Pod, container: Container): SecurityContext {
  const shared = pod.spec?.securityContext
  const own = container.securityContext ?? {}
  const pick = <K extends keyof SecurityContext & keyof NonNullable<typeof shared>>(key: K) => {
    const value = own[key] ?? shared?.[key]
    return value === undefined ? {} : { [key]: value }
  }
  return {
    ...own,
    ...pick('runAsUser'),
    ...pick('runAsGroup'),
    ...pick('runAsNonRoot'),
    ...pick('seccompProfile'),
    ...pick('appArmorProfile'),
  }
}

function refuseUnsupported(pod: Pod, security: SecurityContext): void {
  const wishes = [
    { is: pod.spec?.hostUsers === false, name: 'user namespaces (hostUsers: false)' },
    { is: security.appArmorProfile?.type === 'Localhost', name: 'AppArmor profiles of its own' },
  ]
  const wish = wishes.find(({ is }) => is)
  if (wish === undefined) return
  throw new ContainerError('CreateContainerConfigError', `this node does not support ${wish.name}`)
}

function userOf({ config, userFiles }: SpecInput, security: SecurityContext) {
  const { pod, container, image } = config
  const shared = pod.spec?.securityContext
  if (security.runAsNonRoot) {
    const problem = nonRootProblem(security.runAsUser, image.config.user)
    const name = `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
    if (problem !== undefined) {
      const message = `${problem} (pod: "${name}", container: ${container.name})`
      throw new ContainerError('CreateContainerConfigError', message)
    }
  }
  const wish = {
    runAsUser: security.runAsUser,
    runAsGroup: security.runAsGroup,
    supplementalGroups: [
      ...(shared?.supplementalGroups ?? []),
      ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup]),
      ...config.volumeGroups,
    ],
    groupsPolicy: shared?.supplementalGroupsPolicy,
    imageUser: image.config.user,
  }
  return resolveUser(wish, userFiles)
}

/** `command` replaces the image's entrypoint and drops its arguments; `args` only those. */
export function processArgs({ command, args, image }: ContainerConfig): string[] {
  const { entrypoint, cmd } = image.config
  const hasCommand = command !== undefined && command.length > 0
  const hasArgs = args !== undefined && args.length > 0
  const argv = hasCommand
    ? [...command, ...(args ?? [])]
    : [...entrypoint, ...(hasArgs ? args : cmd)]
  if (argv.length === 0) throw new ContainerError('CreateContainerError', 'no command specified')
  return argv
}

/** Later wins: defaults, the image, the pod. The place of a name is that of its first mention. */
export function processEnv(config: ContainerConfig, hostname: string): string[] {
  const values = new Map<string, string>()
  const terminal = config.container.tty ? ['TERM=xterm'] : []
  const defaults = [`PATH=${DEFAULT_PATH}`, ...terminal]
  for (const entry of [
    ...defaults,
    ...config.image.config.env,
    `HOSTNAME=${hostname}`,
    ...config.env,
  ]) {
    const at = entry.indexOf('=')
    if (at > 0) values.set(entry.slice(0, at), entry.slice(at + 1))
  }
  return [...values].map(([name, value]) => `${name}=${value}`)
}

function planNamespaces(
  sandbox: SandboxParts,
  host: HostFacts,
  isPrivileged: boolean,
): OciNamespace[] {
  const { pidNamespace, netNamespace, ipcNamespace, utsNamespace } = sandbox
  const joined = (type: string, path: string | undefined) =>
    path === undefined ? [] : [{ type, path }]
  return [
    { type: 'mount' },
    ...(pidNamespace === 'own' ? [{ type: 'pid' }] : []),
    ...(typeof pidNamespace === 'object' ? joined('pid', pidNamespace.path) : []),
    ...joined('network', netNamespace),
    ...joined('ipc', ipcNamespace),
    ...joined('uts', utsNamespace),
    ...(host.cgroupVersion === 2 && !isPrivileged ? [{ type: 'cgroup' }] : []),
  ]
}

function planMounts(
  config: ContainerConfig,
  sandbox: SandboxParts,
  isPrivileged: boolean,
): OciMount[] {
  const own = config.mounts.map(bindMount)
  const taken = new Set(own.map((mount) => mount.destination))
  const extra = [...systemMounts(isPrivileged), ...sandboxMounts(config, sandbox)]
  const system = extra.filter((mount) => !taken.has(mount.destination))
  // A parent must be mounted before what lies inside it.
  const depth = (mount: OciMount) => mount.destination.split('/').length
  return [...system, ...own.toSorted((a, b) => depth(a) - depth(b))]
}

function systemMounts(isPrivileged: boolean): OciMount[] {
  const mount = (destination: string, type: string, options: string[]): OciMount => ({
    destination,
    type,
    source: type,
    options,
  })
  const safe = ['nosuid', 'noexec', 'nodev']
  const access = isPrivileged ? 'rw' : 'ro'
  return [
    mount('/proc', 'proc', safe),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', [
      ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    ]),
    mount('/dev/mqueue', 'mqueue', safe),
    mount('/sys', 'sysfs', [...safe, access]),
    mount('/sys/fs/cgroup', 'cgroup', [...safe, 'relatime', access]),
  ]
}

function sandboxMounts(config: ContainerConfig, sandbox: SandboxParts): OciMount[] {
  const bind = (hostPath: string | undefined, containerPath: string | undefined) =>
    hostPath === undefined || containerPath === undefined
      ? []
      : [bindMount({ hostPath, containerPath, readOnly: false, propagation: 'private' })]
  return [
    ...bind(sandbox.shmDir, '/dev/shm'),
    ...bind(sandbox.resolvConf, '/etc/resolv.conf'),
    ...bind(sandbox.hostnameFile, '/etc/hostname'),
    ...bind(config.terminationMessageFile, config.container.terminationMessagePath),
  ]
}

function bindMount(mount: MountConfig): OciMount {
  const propagation = mount.propagation === 'private' ? 'rprivate' : mount.propagation
  return {
    destination: mount.containerPath,
    type: 'bind',
    source: mount.hostPath,
    options: ['rbind', propagation, mount.readOnly ? 'ro' : 'rw'],
  }
}

/** A mount can only pass events on if the root of the container does. */
function rootPropagation(mounts: readonly MountConfig[]) {
  const wanted = new Set(mounts.map((mount) => mount.propagation))
  if (wanted.has('rshared')) return { rootfsPropagation: 'rshared' }
  return wanted.has('rslave') ? { rootfsPropagation: 'rslave' } : {}
}

function seccompOf(
  input: SpecInput,
  security: SecurityContext,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  if (security.privileged) return undefined
  const profile: SeccompProfile | undefined = security.seccompProfile
  switch (profile?.type) {
    case 'RuntimeDefault':
      return defaultSeccomp(capabilities, input.host.arch)
    case 'Localhost':
      return input.localhostSeccomp
    default:
      return undefined
  }
}

/** Names that tools which read runc's state know. */
function annotationsOf({ pod, container }: ContainerConfig): Record<string, string> {
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': container.name,
    'io.kubernetes.cri.sandbox-name': pod.metadata.name ?? '',
    'io.kubernetes.cri.sandbox-namespace': pod.metadata.namespace ?? '',
    'io.kubernetes.cri.sandbox-uid': pod.metadata.uid ?? '',
  }
}
