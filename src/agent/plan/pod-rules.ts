// What the agent, which is root, does with each field of a pod: one table, and the rule of each.
//
// A field that is in no table fails a test, which walks the schema: who adds one decides. Rules
// with a check are tried at the door, on every pod, whatever the server has let through.

import { type SysctlList, sysctlProblem } from '../../api/pod/sysctls.ts'
import { parseIp } from '../../lib/ip.ts'

/** What a check may look at besides the value. */
export type Door = {
  readonly sysctls: SysctlList
  readonly hostNetwork: boolean
  readonly hostIpc: boolean
}

/** Says what is wrong with a value; undefined when nothing is. */
export type Check = (value: never, door: Door) => string | undefined

export type Rule =
  /** Nothing is made of it here, or a comparison at most. */
  | 'unread'
  /** It becomes data within what is the pod's own: namespaces, files, processes, API objects. */
  | 'inside'
  /** An amount, or one of a few words: clamped, or matched against them, where it is used. */
  | 'bounded'
  /** A piece of the node. Who may have it is for admission to say. */
  | 'granted'
  /** Not served here: whoever asks for it hears so by name. */
  | 'refused'
  /** Refused unless the check is content. `reason`: what the pod's status says then. */
  | { readonly check: Check; readonly reason?: string }
  /** Its own fields are in the table of this type. */
  | { readonly parts: string }

export type Rules = Readonly<Record<string, Readonly<Record<string, Rule>>>>

const ID_MAX = 2 ** 31 - 1
const MODE_MAX = 0o777
const NAME_MAX = 253

const name = checked<string>((value) =>
  value.length <= NAME_MAX && /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(value)
    ? undefined
    : 'must be a name that can be one of a folder',
)
const hostName = checked<string>((value) => (value === '' ? undefined : check(name, value)))
const path = checked<string>((value) => {
  if (value.startsWith('/')) return 'must be a relative path'
  if (value.split('/').includes('..')) return "must not contain '..'"
  return value.includes('\0') ? 'must not contain zero bytes' : undefined
})
const id = checked<number>((value) =>
  Number.isInteger(value) && value >= 0 && value <= ID_MAX
    ? undefined
    : `must be between 0 and ${ID_MAX}, inclusive`,
)
const ids = checked<number[]>((values) => values.map((one) => check(id, one)).find(Boolean))
const mode = checked<number>((value) =>
  Number.isInteger(value) && value >= 0 && value <= MODE_MAX
    ? undefined
    : 'must be a number between 0 and 0777 (octal), both inclusive',
)
const port = checked<number>((value) =>
  Number.isInteger(value) && value >= 0 && value <= 65_535 ? undefined : 'must be a port',
)
const ip = checked<string>((value) =>
  value === '' || parseIp(value) !== undefined ? undefined : 'must be an IP address',
)
const protocol = checked<string>((value) =>
  ['TCP', 'UDP', 'SCTP'].includes(value) ? undefined : 'must be TCP, UDP or SCTP',
)
const stopSignal = checked<string>((value) =>
  /^SIG[A-Z0-9]+([+-][0-9]+)?$/.test(value) ? undefined : 'must be the name of a signal',
)
const sysctls: Rule = {
  reason: 'SysctlForbidden',
  check: (settings: { name?: string }[], door: Door) => {
    for (const one of settings) {
      const problem = sysctlProblem(door.sysctls, one.name ?? '', door)
      if (problem !== undefined) return `forbidden sysctl: ${problem}`
    }
    return undefined
  },
}

function checked<V>(test: (value: V) => string | undefined): { check: Check } {
  return { check: test as unknown as Check }
}

function check(rule: { check: Check }, value: unknown): string | undefined {
  return (rule.check as (value: unknown) => string | undefined)(value)
}

/** By type of the schema, without its package: `PodSpec`, `Container`. */
export const POD_RULES: Rules = {
  PodSpec: {
    volumes: { parts: 'Volume' },
    initContainers: { parts: 'Container' },
    containers: { parts: 'Container' },
    ephemeralContainers: { parts: 'EphemeralContainer' },
    ...all('unread', ['restartPolicy', 'dnsPolicy', 'nodeSelector', 'serviceAccount', 'nodeName']),
    ...all('bounded', ['terminationGracePeriodSeconds', 'activeDeadlineSeconds', 'priority']),
    ...all('unread', ['automountServiceAccountToken', 'affinity', 'schedulerName', 'tolerations']),
    ...all('granted', ['hostNetwork', 'hostPID', 'hostIPC']),
    // The holder of the pod's processes has nothing but itself to show.
    ...all('inside', ['shareProcessNamespace', 'hostAliases', 'dnsConfig', 'enableServiceLinks']),
    // Named to the API server, which says what may be had for them.
    ...all('inside', ['serviceAccountName', 'imagePullSecrets']),
    securityContext: { parts: 'PodSecurityContext' },
    ...all(hostName, ['hostname', 'subdomain', 'hostnameOverride']),
    ...all('unread', [
      'priorityClassName',
      'readinessGates',
      'preemptionPolicy',
      'setHostnameAsFQDN',
    ]),
    // Matched against the one runtime that there is.
    runtimeClassName: 'bounded',
    hostUsers: 'refused',
    ...all('bounded', ['overhead', 'resources']),
    ...all('unread', ['topologySpreadConstraints', 'os', 'schedulingGates', 'resourceClaims']),
    schedulingGroup: 'unread',
  },
  PodSecurityContext: {
    ...all('unread', ['seLinuxOptions', 'windowsOptions', 'seLinuxChangePolicy', 'runAsNonRoot']),
    ...all(id, ['runAsUser', 'runAsGroup', 'fsGroup']),
    supplementalGroups: ids,
    ...all('bounded', ['supplementalGroupsPolicy', 'fsGroupChangePolicy']),
    sysctls,
    seccompProfile: { parts: 'SeccompProfile' },
    appArmorProfile: { parts: 'AppArmorProfile' },
  },
  Container: containerRules(),
  EphemeralContainer: { ...containerRules(), targetContainerName: 'inside' },
  ContainerPort: {
    name: 'unread',
    // A port of the node: given once, to the first who asks.
    hostPort: port,
    containerPort: port,
    protocol,
    hostIP: ip,
  },
  EnvVar: {
    ...all('inside', ['name', 'value']),
    valueFrom: { parts: 'EnvVarSource' },
  },
  EnvVarSource: {
    ...all('inside', ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef']),
    fileKeyRef: 'refused',
  },
  VolumeMount: {
    name,
    ...all('bounded', ['readOnly', 'recursiveReadOnly']),
    // runc resolves it inside the container's own root.
    mountPath: 'inside',
    subPath: path,
    // Expanded first; what comes of it is held to the same rule, and to openat2.
    subPathExpr: 'bounded',
    mountPropagation: 'granted',
  },
  Probe: probeRules(),
  Lifecycle: {
    postStart: { parts: 'LifecycleHandler' },
    preStop: { parts: 'LifecycleHandler' },
    stopSignal,
  },
  LifecycleHandler: {
    exec: 'inside',
    // Sent from the node's own network, to any host that is named.
    ...all('granted', ['httpGet', 'tcpSocket']),
    sleep: 'bounded',
  },
  SecurityContext: {
    ...all('granted', ['capabilities', 'privileged', 'procMount']),
    ...all('unread', ['seLinuxOptions', 'windowsOptions', 'runAsNonRoot']),
    ...all(id, ['runAsUser', 'runAsGroup']),
    ...all('inside', ['readOnlyRootFilesystem', 'allowPrivilegeEscalation']),
    seccompProfile: { parts: 'SeccompProfile' },
    appArmorProfile: { parts: 'AppArmorProfile' },
  },
  SeccompProfile: { type: 'granted', localhostProfile: path },
  AppArmorProfile: { type: 'refused', localhostProfile: path },
  Volume: {
    name,
    hostPath: 'granted',
    emptyDir: { parts: 'EmptyDirVolumeSource' },
    secret: { parts: 'SecretVolumeSource' },
    configMap: { parts: 'ConfigMapVolumeSource' },
    downwardAPI: { parts: 'DownwardAPIVolumeSource' },
    projected: { parts: 'ProjectedVolumeSource' },
    // What a claim is bound to is for those to say who make volumes.
    ...all('granted', ['persistentVolumeClaim', 'ephemeral']),
    ...all('refused', [
      ...['gcePersistentDisk', 'awsElasticBlockStore', 'gitRepo', 'nfs', 'iscsi', 'glusterfs'],
      ...['rbd', 'flexVolume', 'cinder', 'cephfs', 'flocker', 'fc'],
      ...['azureFile', 'vsphereVolume', 'quobyte', 'azureDisk', 'photonPersistentDisk'],
      ...['portworxVolume', 'scaleIO', 'storageos', 'csi', 'image'],
    ]),
  },
  EmptyDirVolumeSource: all('bounded', ['medium', 'sizeLimit']),
  SecretVolumeSource: {
    secretName: 'inside',
    items: { parts: 'KeyToPath' },
    defaultMode: mode,
    optional: 'bounded',
  },
  ConfigMapVolumeSource: {
    name: 'inside',
    items: { parts: 'KeyToPath' },
    defaultMode: mode,
    optional: 'bounded',
  },
  DownwardAPIVolumeSource: { items: { parts: 'DownwardAPIVolumeFile' }, defaultMode: mode },
  ProjectedVolumeSource: { sources: { parts: 'VolumeProjection' }, defaultMode: mode },
  VolumeProjection: {
    secret: { parts: 'SecretProjection' },
    downwardAPI: { parts: 'DownwardAPIProjection' },
    configMap: { parts: 'ConfigMapProjection' },
    serviceAccountToken: { parts: 'ServiceAccountTokenProjection' },
    ...all('refused', ['clusterTrustBundle', 'podCertificate']),
  },
  SecretProjection: { name: 'inside', items: { parts: 'KeyToPath' }, optional: 'bounded' },
  ConfigMapProjection: { name: 'inside', items: { parts: 'KeyToPath' }, optional: 'bounded' },
  DownwardAPIProjection: { items: { parts: 'DownwardAPIVolumeFile' } },
  ServiceAccountTokenProjection: {
    ...all('inside', ['audience', 'expirationSeconds']),
    path,
  },
  KeyToPath: { key: 'inside', path, mode },
  DownwardAPIVolumeFile: { path, ...all('inside', ['fieldRef', 'resourceFieldRef']), mode },
}

function containerRules(): Record<string, Rule> {
  return {
    name,
    // Parsed strictly before anybody else sees it.
    image: 'bounded',
    ...all('inside', ['command', 'args', 'workingDir', 'envFrom', 'stdin', 'stdinOnce', 'tty']),
    ports: { parts: 'ContainerPort' },
    env: { parts: 'EnvVar' },
    ...all('bounded', ['resources', 'imagePullPolicy', 'terminationMessagePolicy']),
    ...all('unread', ['resizePolicy', 'restartPolicy', 'restartPolicyRules', 'volumeDevices']),
    volumeMounts: { parts: 'VolumeMount' },
    livenessProbe: { parts: 'Probe' },
    readinessProbe: { parts: 'Probe' },
    startupProbe: { parts: 'Probe' },
    lifecycle: { parts: 'Lifecycle' },
    // As mountPath.
    terminationMessagePath: 'inside',
    securityContext: { parts: 'SecurityContext' },
  }
}

function probeRules(): Record<string, Rule> {
  return {
    exec: 'inside',
    // As those of hooks; a gRPC probe goes to the pod's own address only.
    ...all('granted', ['httpGet', 'tcpSocket']),
    grpc: 'inside',
    ...all('bounded', ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds']),
    ...all('bounded', ['successThreshold', 'failureThreshold', 'terminationGracePeriodSeconds']),
  }
}

function all(rule: Rule, fields: readonly string[]): Record<string, Rule> {
  return Object.fromEntries(fields.map((field) => [field, rule]))
}

export type PodFault = { readonly reason: string; readonly message: string }

/** The first fault of a pod's fields; undefined when there is none. */
export function podFault(pod: PodLike, door: Door): PodFault | undefined {
  const { metadata, spec } = pod
  for (const field of ['name', 'namespace', 'uid'] as const) {
    const problem = check(name, metadata[field] ?? '')
    if (problem !== undefined) return fault(`metadata.${field}: ${problem}`)
  }
  return faultOf('PodSpec', spec as object, 'spec', door)
}

type PodLike = {
  readonly metadata: { name?: string; namespace?: string; uid?: string }
  readonly spec: object
}

function faultOf(type: string, value: object, at: string, door: Door): PodFault | undefined {
  for (const [field, rule] of Object.entries(POD_RULES[type]!)) {
    const part = (value as Record<string, unknown>)[field]
    if (typeof rule === 'string' || part === undefined || part === null) continue
    const where = `${at}.${field}`
    const found =
      'parts' in rule
        ? faultInParts(rule.parts, part, where, door)
        : faultIn(rule, part, where, door)
    if (found !== undefined) return found
  }
  return undefined
}

function faultInParts(type: string, value: unknown, at: string, door: Door): PodFault | undefined {
  if (!Array.isArray(value)) return faultOf(type, value as object, at, door)
  for (const [index, one] of value.entries()) {
    const found = faultOf(type, one, `${at}[${index}]`, door)
    if (found !== undefined) return found
  }
  return undefined
}

function faultIn(
  rule: Extract<Rule, { check: Check }>,
  value: unknown,
  at: string,
  door: Door,
): PodFault | undefined {
  const problem = (rule.check as (value: unknown, door: Door) => string | undefined)(value, door)
  if (problem === undefined) return undefined
  return rule.reason === undefined
    ? fault(`${at}: ${problem}`)
    : { reason: rule.reason, message: problem }
}

/** As the kubelet calls what it did not expect at its door. */
function fault(message: string): PodFault {
  return { reason: 'UnexpectedAdmissionError', message }
}
