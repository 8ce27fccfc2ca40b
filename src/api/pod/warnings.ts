// What is accepted but probably not meant (pkg/api/pod/warnings.go).

import { own } from '../../lib/own.ts'
import { dnsLabelFaults } from '../names.ts'
import { nodeLabelWarning, OLD_NODE_LABELS, termWarnings } from '../node/labels.ts'
import { parseQuantity, scaledValue } from '../quantity.ts'
import type {
  ObjectMeta,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../schema/generated/types.ts'
import { ipWarnings } from '../validation/addresses.ts'
import { overlapWarnings } from './overlaps.ts'
import { portWarnings } from './port-warnings.ts'
import { APP_ARMOR, appArmorOf, SECCOMP_CONTAINER, SECCOMP_POD } from './profiles.ts'
import { containersWithPaths } from './spec/check.ts'

export function podWarnings(pod: Pod): string[] {
  const { metadata, spec } = pod
  const name = dnsLabelFaults(metadata.name ?? '')
  const used = "metadata.name: this is used in the Pod's hostname"
  return [
    ...(name.length === 0
      ? []
      : [
          `${used}, which can result in surprising behavior; a DNS label is recommended: [${name.join(' ')}]`,
        ]),
    ...appArmorWarnings(spec, metadata, 'metadata.annotations'),
    ...specWarnings('', spec, metadata),
  ]
}

/** `at` is the path of the template. */
export function templateWarnings(at: string, template: PodTemplateSpec | undefined): string[] {
  if (!template?.spec) return []
  return specWarnings(`${at}.`, template.spec, template.metadata ?? {})
}

/** For kinds whose pods and host names begin with theirs. */
export function podNameWarnings(name: string | undefined): string[] {
  const faults = dnsLabelFaults(name ?? '')
  if (faults.length === 0) return []
  const used = 'metadata.name: this is used in Pod names and hostnames'
  const advice = 'which can result in surprising behavior; a DNS label is recommended'
  return [`${used}, ${advice}: [${faults.join(' ')}]`]
}

function specWarnings(at: string, spec: PodSpec, metadata: ObjectMeta): string[] {
  return [
    ...nodeLabelWarnings(at, spec),
    ...annotationWarnings(at, metadata),
    ...(spec.volumes ?? []).flatMap((volume, index) =>
      volumeWarnings(`${at}spec.volumes[${index}]`, volume),
    ),
    ...overlapWarnings(spec.volumes ?? []),
    ...listWarnings(at, spec),
    ...overheadWarnings(at, spec),
    ...profileWarnings(at, spec, metadata),
    ...portWarnings(`${at}spec`, spec),
    ...graceWarnings(at, spec),
    ...affinityWarnings(at, spec),
    ...addressWarnings(at, spec),
  ]
}

function nodeLabelWarnings(at: string, { nodeSelector, affinity, ...spec }: PodSpec): string[] {
  const path = `${at}spec.affinity.nodeAffinity`
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  const terms = affinity?.nodeAffinity?.[required]?.nodeSelectorTerms ?? []
  const wishes = affinity?.nodeAffinity?.[preferred] ?? []
  return [
    ...Object.keys(nodeSelector ?? {}).flatMap((key) => {
      const warning = nodeLabelWarning(key)
      return warning === undefined ? [] : [`${at}spec.nodeSelector[${key}]: ${warning}`]
    }),
    ...terms.flatMap((term, index) =>
      termWarnings(`${path}.${required}.nodeSelectorTerms[${index}]`, term, false),
    ),
    ...wishes.flatMap(({ preference }, index) =>
      termWarnings(`${path}.${preferred}[${index}].preference`, preference ?? {}, true),
    ),
    ...(spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, index) => {
      const field = `${at}spec.topologySpreadConstraints[${index}]`
      const old = own(OLD_NODE_LABELS, topologyKey)
      return [
        ...(old === undefined ? [] : [`${field}.topologyKey: ${topologyKey} is ${old}`]),
        ...(labelSelector === undefined ? [`${field}.labelSelector: ${NO_SELECTOR}`] : []),
      ]
    }),
  ]
}

const NO_SELECTOR = 'a null labelSelector results in matching no pod'

const OLD_ANNOTATIONS: readonly (readonly [string, string])[] = [
  [
    'scheduler.alpha.kubernetes.io/critical-pod',
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  ],
  [
    'security.alpha.kubernetes.io/sysctls',
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
  [
    'security.alpha.kubernetes.io/unsafe-sysctls',
    'non-functional in v1.11+; use the "sysctls" field instead',
  ],
]

function annotationWarnings(at: string, { annotations }: ObjectMeta): string[] {
  return OLD_ANNOTATIONS.flatMap(([key, message]) =>
    own(annotations, key) === undefined ? [] : [`${at}metadata.annotations[${key}]: ${message}`],
  )
}

const OLD_VOLUMES: readonly (readonly [keyof Volume, string, string])[] = [
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]

function volumeWarnings(at: string, volume: Volume): string[] {
  return OLD_VOLUMES.flatMap(([source, path, message]) =>
    volume[source] === undefined ? [] : [`${at}.${path}: ${message}`],
  )
}

function listWarnings(at: string, { hostAliases = [], imagePullSecrets = [] }: PodSpec): string[] {
  const repeated = (field: string, key: string, values: readonly string[]) =>
    values.flatMap((value, index) =>
      values.indexOf(value) < index
        ? [`${at}spec.${field}[${index}].${key}: duplicate ${key} ${JSON.stringify(value)}`]
        : [],
    )
  const names = imagePullSecrets.map(({ name }) => name ?? '')
  return [
    ...repeated(
      'hostAliases',
      'ip',
      hostAliases.map(({ ip }) => ip),
    ),
    ...repeated('imagePullSecrets', 'name', names),
    ...names.flatMap((name, index) =>
      name === '' ? [`${at}spec.imagePullSecrets[${index}].name: invalid empty name ""`] : [],
    ),
  ]
}

function overheadWarnings(at: string, { overhead }: PodSpec): string[] {
  return fractionWarnings(`${at}spec.overhead`, overhead, ['memory', 'ephemeral-storage'])
}

/** Amounts of bytes of which a part is no whole byte. */
export function fractionWarnings(
  at: string,
  list: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
): string[] {
  return names.flatMap((name) => {
    const text = own(list, name)
    if (text === undefined || scaledValue(parseQuantity(text), -3) % 1000n === 0n) return []
    return [`${at}[${name}]: fractional byte value "${text}" is invalid, must be an integer`]
  })
}

function profileWarnings(at: string, spec: PodSpec, { annotations = {} }: ObjectMeta): string[] {
  const path = `${at}metadata.annotations`
  const unused = 'non-functional in v1.27+; use the "seccompProfile" field instead'
  const hasPodField = spec.securityContext?.seccompProfile !== undefined
  const isPodUnused = !hasPodField && annotations[SECCOMP_POD] !== undefined
  return [
    ...(isPodUnused ? [`${path}[${SECCOMP_POD}]: ${unused}`] : []),
    ...containersWithPaths({ spec }, `${at}spec`).flatMap(({ container, path: field }) => {
      const key = SECCOMP_CONTAINER + container.name
      const hasField = container.securityContext?.seccompProfile !== undefined
      const isUnused = !hasField && own(annotations, key) !== undefined
      const { limits, requests } = container.resources ?? {}
      return [
        ...(isUnused ? [`${path}[${key}]: ${unused}`] : []),
        ...(at === '' ? [] : appArmorWarning(spec, container, annotations, path)),
        ...fractionWarnings(`${field}.resources.limits`, limits, ['memory']),
        ...fractionWarnings(`${field}.resources.requests`, requests, ['memory']),
        ...fractionWarnings(`${field}.resources.limits`, limits, ['ephemeral-storage']),
        ...fractionWarnings(`${field}.resources.requests`, requests, ['ephemeral-storage']),
        ...envWarnings(field, container.env ?? []),
      ]
    }),
  ]
}

type Named = { name: string; securityContext?: PodSpec['containers'][number]['securityContext'] }

function appArmorWarning(
  spec: PodSpec,
  { name, securityContext }: Named,
  annotations: Readonly<Record<string, string>>,
  path: string,
): string[] {
  const key = APP_ARMOR + name
  const text = own(annotations, key)
  if (text === undefined || securityContext?.appArmorProfile) return []
  const whole = spec.securityContext?.appArmorProfile
  if (whole && Bun.deepEquals(whole, appArmorOf(text))) return []
  return [`${path}[${key}]: ${OLD_APP_ARMOR}`]
}

const OLD_APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'

/** Of a pod, where the annotation has been copied to the field already. */
function appArmorWarnings(spec: PodSpec, { annotations = {} }: ObjectMeta, at: string): string[] {
  const whole = spec.securityContext?.appArmorProfile
  return containersWithPaths({ spec }, '').flatMap(({ container }) => {
    const key = APP_ARMOR + container.name
    const text = own(annotations, key)
    if (text === undefined || Bun.deepEquals(appArmorOf(text), whole)) return []
    return [`${at}[${key}]: ${OLD_APP_ARMOR}`]
  })
}

type Variable = { name: string; value?: string; valueFrom?: object }

function envWarnings(at: string, env: readonly Variable[]): string[] {
  const names = new Set<string>()
  return env.flatMap(({ name, value = '', valueFrom }, index) => {
    const isFirst = !names.has(name)
    names.add(name)
    const reference = `$(${name})`
    const extends_ = !valueFrom && value !== reference && value.includes(reference)
    if (isFirst || extends_) return []
    const hides = `hides previous definition of "${name}"`
    return [`${at}.env[${index}]: ${hides}, which may be dropped when using apply`]
  })
}

function graceWarnings(at: string, { terminationGracePeriodSeconds: seconds }: PodSpec): string[] {
  if (seconds === undefined || seconds >= 0) return []
  const meaning = 'negative values are invalid and will be treated as 1'
  return [`${at}spec.terminationGracePeriodSeconds: must be >= 0; ${meaning}`]
}

function affinityWarnings(at: string, { affinity }: PodSpec): string[] {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  return (['podAffinity', 'podAntiAffinity'] as const).flatMap((kind) => {
    const path = `${at}spec.affinity.${kind}`
    const terms = affinity?.[kind]?.[required] ?? []
    const wishes = affinity?.[kind]?.[preferred] ?? []
    return [
      ...terms.flatMap(({ labelSelector }, index) =>
        labelSelector ? [] : [`${path}.${required}[${index}].labelSelector: ${NO_SELECTOR}`],
      ),
      ...wishes.flatMap(({ podAffinityTerm }, index) =>
        podAffinityTerm?.labelSelector
          ? []
          : [`${path}.${preferred}[${index}].podAffinityTerm.labelSelector: ${NO_SELECTOR}`],
      ),
    ]
  })
}

function addressWarnings(at: string, { dnsConfig, hostAliases }: PodSpec): string[] {
  return [
    ...(dnsConfig?.nameservers ?? []).flatMap((address, index) =>
      ipWarnings(`${at}spec.dnsConfig.nameservers[${index}]`, address),
    ),
    ...(hostAliases ?? []).flatMap(({ ip }, index) =>
      ipWarnings(`${at}spec.hostAliases[${index}].ip`, ip ?? ''),
    ),
  ]
}
