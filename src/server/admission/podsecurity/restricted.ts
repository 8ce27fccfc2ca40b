// The checks of the level `restricted`, beyond those of baseline: no more than a hardened pod
// needs.

import type { SecurityContext, Volume } from '../../../api/schema/generated/types.ts'
import { isAllowedProfile, procMount, seccomp } from './baseline.ts'
import {
  badContainers,
  badSetters,
  type Check,
  type CheckPod,
  containersOf,
  containersText,
  exceptInUserNamespace,
  exceptOnWindows,
  type PodLike,
  plural,
  quoted,
  sorted,
} from './checks.ts'

/** The names of containers that `isBad` says are, whether or not they have a context. */
function lacking(pod: PodLike, isBad: (context: SecurityContext) => boolean): string[] {
  return containersOf(pod)
    .filter(({ securityContext = {} }) => isBad(securityContext))
    .map(({ name }) => name)
}

const allowPrivilegeEscalation: CheckPod = (pod) => {
  const names = lacking(pod, ({ allowPrivilegeEscalation: may }) => may !== false)
  if (names.length === 0) return undefined
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`,
  }
}

const capabilities: CheckPod = (pod) => {
  const added: string[] = []
  const keeping = lacking(pod, ({ capabilities: { drop = [] } = {} }) => !drop.includes('ALL'))
  const adding = badContainers(pod, ({ capabilities: { add = [] } = {} }) => {
    const others = add.filter((name) => name !== 'NET_BIND_SERVICE')
    added.push(...others)
    return others.length > 0
  })
  const what = quoted(sorted(added))
  const details = [
    ...(keeping.length > 0
      ? [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(adding.length > 0
      ? [`${containersText(adding)} must not include ${what} in securityContext.capabilities.add`]
      : []),
  ]
  if (details.length === 0) return undefined
  return { reason: 'unrestricted capabilities', detail: details.join('; ') }
}

const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const
const OTHER_VOLUMES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
] as const

const volumes: CheckPod = ({ spec }) => {
  const isAllowed = (volume: Volume) => ALLOWED_VOLUMES.some((type) => volume[type] !== undefined)
  const others = (spec.volumes ?? []).filter((volume) => !isAllowed(volume))
  if (others.length === 0) return undefined
  const types = sorted(
    others.map((volume) => OTHER_VOLUMES.find((type) => volume[type] !== undefined) ?? 'unknown'),
  )
  const who = `${plural(others.length, 'volume')} ${quoted(others.map(({ name }) => name))}`
  const verb = others.length === 1 ? 'uses' : 'use'
  const what = `${plural(types.length, 'restricted volume type')} ${quoted(types)}`
  return { reason: 'restricted volume types', detail: `${who} ${verb} ${what}` }
}

const runAsNonRoot: CheckPod = (pod) => {
  const reason = 'runAsNonRoot != true'
  const setters = badSetters(pod, (context) => context.runAsNonRoot === false)
  if (setters.length > 0) {
    const who = setters.join(' and ')
    return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` }
  }
  if (pod.spec.securityContext?.runAsNonRoot === true) return undefined
  const silent = lacking(pod, (context) => context.runAsNonRoot === undefined)
  if (silent.length === 0) return undefined
  const who = `pod or ${containersText(silent)}`
  return { reason, detail: `${who} must set securityContext.runAsNonRoot=true` }
}

const runAsUser: CheckPod = (pod) => {
  const setters = badSetters(pod, (context) => context.runAsUser === 0)
  if (setters.length === 0) return undefined
  return { reason: 'runAsUser=0', detail: `${setters.join(' and ')} must not set runAsUser=0` }
}

const seccompSet: CheckPod = (pod) => {
  const wrong = seccomp(pod)
  if (wrong !== undefined) return wrong
  const ofPod = pod.spec.securityContext?.seccompProfile
  if (ofPod !== undefined && isAllowedProfile(ofPod.type)) return undefined
  const silent = lacking(pod, (context) => context.seccompProfile === undefined)
  if (silent.length === 0) return undefined
  const who = `pod or ${containersText(silent)}`
  const what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
  return { reason: 'seccompProfile', detail: `${who} ${what}` }
}

export const RESTRICTED: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: allowPrivilegeEscalation },
      { since: 25, check: exceptOnWindows(allowPrivilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    versions: [
      { since: 22, check: capabilities, overrides: ['capabilities_baseline'] },
      { since: 25, check: exceptOnWindows(capabilities), overrides: ['capabilities_baseline'] },
    ],
  },
  {
    id: 'procMount_restricted',
    versions: [{ since: 35, check: procMount, overrides: ['procMount'] }],
  },
  {
    id: 'restrictedVolumes',
    versions: [{ since: 0, check: volumes, overrides: ['hostPathVolumes'] }],
  },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: exceptInUserNamespace(runAsNonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: exceptInUserNamespace(runAsUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    versions: [
      { since: 19, check: seccompSet, overrides: ['seccompProfile_baseline'] },
      { since: 25, check: exceptOnWindows(seccompSet), overrides: ['seccompProfile_baseline'] },
    ],
  },
]
