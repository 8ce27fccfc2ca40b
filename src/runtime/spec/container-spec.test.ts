import { expect, test } from 'bun:test'
import { ContainerError } from '../../api/pod/container-error.ts'
import type { Container, PodSpec } from '../../api/schema/generated/types.ts'
import type { ContainerConfig } from '../contract.ts'
import { CAPABILITIES } from './capabilities.ts'
import { containerSpec, type HostFacts, processArgs, processEnv } from './container-spec.ts'

const host: HostFacts = {
  arch: 'x64',
  cgroupVersion: 2,
  capabilities: new Set(CAPABILITIES),
  oomScoreAdj: 0,
  sensitivePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
  devices: () => [
    { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
  ],
}
const sandbox = {
  netNamespace: '/run/pod/net',
  ipcNamespace: '/run/pod/ipc',
  utsNamespace: '/run/pod/uts',
  pidNamespace: 'own' as const,
  hostname: 'web-0',
  shmDir: '/run/pod/shm',
  resolvConf: '/run/pod/resolv.conf',
  hostnameFile: '/run/pod/hostname',
}
const imageConfig = {
  user: '',
  env: ['PATH=/bin', 'A=image'],
  entrypoint: ['/entry'],
  cmd: ['serve'],
  workingDir: '/work',
  stopSignal: '',
  volumes: [],
}

function configOf(
  container: Partial<Container> = {},
  spec: Partial<PodSpec> = {},
  more: Partial<ContainerConfig> = {},
): ContainerConfig {
  const whole = { name: 'c', terminationMessagePath: '/dev/termination-log', ...container }
  return {
    pod: {
      metadata: { name: 'web-0', namespace: 'default', uid: 'uid-1' },
      spec: { containers: [whole], ...spec },
    },
    container: whole,
    kind: 'regular',
    attempt: 0,
    image: {
      id: 'sha256:1',
      name: 'docker.io/library/web:1',
      repoTags: [],
      repoDigests: [],
      sizeBytes: 1,
      config: imageConfig,
    },
    command: undefined,
    args: undefined,
    env: ['B=pod'],
    mounts: [],
    cgroupParent: 'kubepods/poduid-1',
    oomScoreAdj: 1000,
    logPath: '/log',
    terminationMessageFile: '/host/message',
    volumeGroups: [],
    ...more,
  }
}

function specOf(
  config = configOf(),
  over: Partial<{ host: Partial<HostFacts>; sandbox: object; image: object }> = {},
) {
  const image = { ...config.image, config: { ...imageConfig, ...over.image } }
  return containerSpec({
    id: 'id-1',
    config: { ...config, image },
    sandbox: { ...sandbox, ...over.sandbox },
    host: { ...host, ...over.host },
    rootfs: '/rootfs',
    userFiles: { passwd: 'web:x:1000:1000::/www:/bin/sh\n', group: 'disk:x:6:web\n' },
    localhostSeccomp: undefined,
  })
}

function reasonOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof ContainerError ? error.reason : String(error)
  }
}

test('command and args replace what the image runs, as Kubernetes documents', () => {
  const run = (command?: string[], args?: string[]) =>
    processArgs({ ...configOf(), command, args } as ContainerConfig)
  expect(run()).toEqual(['/entry', 'serve'])
  expect(run(['/mine'])).toEqual(['/mine'])
  expect(run(undefined, ['other'])).toEqual(['/entry', 'other'])
  expect(run(['/mine'], ['other'])).toEqual(['/mine', 'other'])
})

test('a container without any command says so', () => {
  const config = configOf()
  const image = { ...config.image, config: { ...imageConfig, entrypoint: [], cmd: [] } }
  expect(() => processArgs({ ...config, image })).toThrow('no command specified')
})

test('the environment is that of the image under that of the pod', () => {
  const env = processEnv(configOf({ tty: true }, {}, { env: ['A=pod', 'B=x=y'] }), 'web-0')
  expect(env).toEqual(['PATH=/bin', 'TERM=xterm', 'A=pod', 'HOSTNAME=web-0', 'B=x=y'])
})

test('namespaces of the sandbox are joined by path', () => {
  const { namespaces } = specOf().linux
  expect(namespaces).toEqual([
    { type: 'mount' },
    { type: 'pid' },
    { type: 'network', path: '/run/pod/net' },
    { type: 'ipc', path: '/run/pod/ipc' },
    { type: 'uts', path: '/run/pod/uts' },
    { type: 'cgroup' },
  ])
})

test('namespaces of the host are not named at all', () => {
  const none = { netNamespace: undefined, ipcNamespace: undefined, utsNamespace: undefined }
  const spec = specOf(configOf(), { sandbox: { ...none, pidNamespace: 'host' } })
  expect(spec.linux.namespaces.map(({ type }) => type)).toEqual(['mount', 'cgroup'])
})

test('shared processes are joined by path, and cgroup version 1 has no namespace', () => {
  const shared = { pidNamespace: { path: '/proc/7/ns/pid' } }
  const spec = specOf(configOf(), { sandbox: shared, host: { cgroupVersion: 1 } })
  expect(spec.linux.namespaces).toContainEqual({ type: 'pid', path: '/proc/7/ns/pid' })
  expect(spec.linux.namespaces.map(({ type }) => type)).not.toContain('cgroup')
})

test('an ordinary container gets the usual capabilities, hidden files and no devices', () => {
  const spec = specOf()
  expect(spec.process.capabilities.bounding).toContain('CAP_CHOWN')
  expect(spec.process.capabilities.bounding).not.toContain('CAP_SYS_ADMIN')
  expect(spec.linux.maskedPaths).toContain('/proc/kcore')
  expect(spec.linux.maskedPaths).toContain(host.sensitivePaths[0]!)
  expect(spec.linux.readonlyPaths).toContain('/proc/sys')
  expect(spec.linux.resources.devices).toEqual([{ allow: false, access: 'rwm' }])
  expect(spec.linux.seccomp).toBeUndefined()
  expect(spec.process.noNewPrivileges).toBe(false)
  expect(optionsOf(spec, '/sys')).toContain('ro')
})

test('a privileged container gets everything', () => {
  const securityContext = { privileged: true, seccompProfile: { type: 'RuntimeDefault' } }
  const spec = specOf(configOf({ securityContext }))
  expect(spec.process.capabilities.bounding).toEqual(CAPABILITIES)
  expect(spec.linux.maskedPaths).toEqual([])
  expect(spec.linux.devices).toHaveLength(1)
  expect(spec.linux.resources.devices[0]!.allow).toBe(true)
  expect(spec.linux.seccomp).toBeUndefined()
  expect(optionsOf(spec, '/sys')).toContain('rw')
})

test('what hardens a container is carried over', () => {
  const securityContext = {
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    seccompProfile: { type: 'RuntimeDefault' },
  }
  const spec = specOf(configOf({ securityContext }))
  expect(spec.root.readonly).toBe(true)
  expect(spec.process.noNewPrivileges).toBe(true)
  expect(spec.process.capabilities.bounding).toEqual(['CAP_NET_BIND_SERVICE'])
  expect(spec.linux.seccomp?.defaultAction).toBe('SCMP_ACT_ERRNO')
})

test('the security context of the pod applies where the container has none', () => {
  const shared = {
    securityContext: {
      runAsUser: 5,
      runAsGroup: 6,
      fsGroup: 7,
      supplementalGroups: [8],
      seccompProfile: { type: 'RuntimeDefault' },
    },
  }
  const spec = specOf(configOf({ securityContext: { runAsUser: 1000 } }, shared))
  expect(spec.process.user).toEqual({ uid: 1000, gid: 6, additionalGids: [6, 8, 7] })
  expect(spec.linux.seccomp).toBeDefined()
})

test('root is refused where the pod forbids it, in the words of the kubelet', () => {
  const securityContext = { runAsNonRoot: true }
  const config = configOf({ securityContext })
  expect(reasonOf(() => specOf(config))).toBe('CreateContainerConfigError')
  const where = '(pod: "web-0_default(uid-1)", container: c)'
  expect(() => specOf(config)).toThrow(
    `container has runAsNonRoot and image will run as root ${where}`,
  )
  expect(() => specOf(config, { image: { user: 'web' } })).toThrow(
    'image has non-numeric user (web), cannot verify user is non-root',
  )
  expect(specOf(config, { image: { user: '1000' } }).process.user.uid).toBe(1000)
})

test('what this node cannot do is refused by name', () => {
  const wishes = [
    configOf({}, { hostUsers: false }),
    configOf({ securityContext: { appArmorProfile: { type: 'Localhost' } } }),
  ]
  for (const config of wishes) {
    expect(reasonOf(() => specOf(config))).toBe('CreateContainerConfigError')
    expect(() => specOf(config)).toThrow('this node does not support')
  }
})

test('the OOM score is never below that of the agent', () => {
  const config = configOf({}, {}, { oomScoreAdj: -997 })
  expect(specOf(config).process.oomScoreAdj).toBe(0)
  expect(specOf(config, { host: { oomScoreAdj: -999 } }).process.oomScoreAdj).toBe(-997)
})

test('mounts of the pod come after those of the system, outer before inner', () => {
  const mounts = ['/data/inner', '/data', '/etc/hosts'].map((containerPath) => ({
    hostPath: `/host${containerPath}`,
    containerPath,
    readOnly: true,
    propagation: 'private' as const,
  }))
  const destinations = specOf(configOf({}, {}, { mounts })).mounts.map((one) => one.destination)
  expect(destinations.slice(-3)).toEqual(['/data', '/data/inner', '/etc/hosts'])
  expect(destinations).toContain('/dev/shm')
  expect(destinations).toContain('/dev/termination-log')
})

test('a mount of the pod replaces that of the system at the same place', () => {
  const mount = { hostPath: '/mine', readOnly: false, propagation: 'private' as const }
  const mounts = ['/dev/shm', '/etc/resolv.conf'].map((containerPath) => ({
    ...mount,
    containerPath,
  }))
  const spec = specOf(configOf({}, {}, { mounts }))
  for (const path of ['/dev/shm', '/etc/resolv.conf']) {
    const there = spec.mounts.filter((one) => one.destination === path)
    expect(there.map((one) => one.source)).toEqual(['/mine'])
  }
})

test('propagation of a mount needs that of the root', () => {
  const mounts = [
    {
      hostPath: '/a',
      containerPath: '/a',
      readOnly: false,
      propagation: 'rshared' as const,
    },
  ]
  const spec = specOf(configOf({}, {}, { mounts }))
  expect(spec.linux.rootfsPropagation).toBe('rshared')
  expect(optionsOf(spec, '/a')).toContain('rshared')
  expect(specOf().linux.rootfsPropagation).toBeUndefined()
})

test('the working directory is the first that is set', () => {
  expect(specOf(configOf({ workingDir: '/mine' })).process.cwd).toBe('/mine')
  expect(specOf().process.cwd).toBe('/work')
  expect(specOf(configOf(), { image: { workingDir: '' } }).process.cwd).toBe('/')
})

function optionsOf(spec: ReturnType<typeof specOf>, path: string): string[] {
  return spec.mounts.find((one) => one.destination === path)?.options ?? []
}
