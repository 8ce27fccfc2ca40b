// What a pod reads: the objects that its node must be able to get for it. Pure.

import type { Container, Pod, Volume } from '../../api/schema/generated/types.ts'
import { claimNameOf } from '../../api/volume/binding.ts'

/** `secrets/namespace/name`, `configmaps/…`, `serviceaccounts/…`, each once. */
export function referencesOf(pod: Pod): string[] {
  const { spec } = pod
  if (spec === undefined) return []
  const found = new Set<string>()
  const add = (resource: string, name: string | undefined) => {
    if (name) found.add(`${resource}/${pod.metadata.namespace}/${name}`)
  }
  add('serviceaccounts', spec.serviceAccountName)
  for (const { name } of spec.imagePullSecrets ?? []) add('secrets', name)
  const containers = [
    ...spec.containers,
    ...(spec.initContainers ?? []),
    ...((spec.ephemeralContainers ?? []) as Container[]),
  ]
  for (const container of containers) addEnvironment(container, add)
  for (const volume of spec.volumes ?? []) {
    addVolume(volume, add)
    add('persistentvolumeclaims', claimNameOf(pod.metadata.name ?? '', volume))
  }
  return [...found]
}

type Add = (resource: string, name: string | undefined) => void

function addEnvironment({ env = [], envFrom = [] }: Container, add: Add): void {
  for (const { valueFrom } of env) {
    add('secrets', valueFrom?.secretKeyRef?.name)
    add('configmaps', valueFrom?.configMapKeyRef?.name)
  }
  for (const { secretRef, configMapRef } of envFrom) {
    add('secrets', secretRef?.name)
    add('configmaps', configMapRef?.name)
  }
}

/** Sources that name a Secret of the pod's namespace in a field of their own. */
const SECRET_FIELDS = {
  cephfs: 'secretRef',
  cinder: 'secretRef',
  flexVolume: 'secretRef',
  iscsi: 'secretRef',
  rbd: 'secretRef',
  scaleIO: 'secretRef',
  storageos: 'secretRef',
  csi: 'nodePublishSecretRef',
} as const

function addVolume(volume: Volume, add: Add): void {
  const { secret, configMap, projected, azureFile } = volume
  add('secrets', secret?.secretName)
  add('secrets', azureFile?.secretName)
  add('configmaps', configMap?.name)
  for (const [source, field] of Object.entries(SECRET_FIELDS)) {
    const found = volume[source as keyof typeof SECRET_FIELDS] as
      | Record<string, { name?: string } | undefined>
      | undefined
    add('secrets', found?.[field]?.name)
  }
  for (const source of projected?.sources ?? []) {
    add('secrets', source.secret?.name)
    add('configmaps', source.configMap?.name)
  }
}

/** The first kind of object that the pod needs, in upstream's words; undefined for none. */
export function apiReferenceOf(pod: Pod): string | undefined {
  const { serviceAccountName, resourceClaims, volumes = [] } = pod.spec ?? { containers: [] }
  if (serviceAccountName) return 'serviceaccounts'
  const references = referencesOf(pod)
  for (const kind of ['secrets', 'configmaps']) {
    if (references.some((reference) => reference.startsWith(`${kind}/`))) return kind
  }
  if (resourceClaims?.length) return 'resourceclaims'
  for (const volume of volumes) {
    const found = volumeReferenceOf(volume)
    if (found !== undefined) return found
  }
  return undefined
}

const PROJECTED = {
  configMap: 'configmaps (via projected volumes)',
  secret: 'secrets (via projected volumes)',
  serviceAccountToken: 'serviceaccounts (via projected volumes)',
  clusterTrustBundle: 'clustertrustbundles',
  podCertificate: 'podcertificates',
} as const

const REFERRING = {
  configMap: 'configmaps (via configmap volumes)',
  secret: 'secrets (via secret volumes)',
  csi: 'csidrivers (via CSI volumes)',
  glusterfs: 'endpoints (via glusterFS volumes)',
  persistentVolumeClaim: 'persistentvolumeclaims',
  ephemeral: 'persistentvolumeclaims (via ephemeral volumes)',
} as const

function volumeReferenceOf(volume: Volume): string | undefined {
  const found = firstOf(REFERRING, volume)
  if (found !== undefined) return found
  for (const source of volume.projected?.sources ?? []) {
    const projected = firstOf(PROJECTED, source)
    if (projected !== undefined) return projected
  }
  return undefined
}

function firstOf(words: Readonly<Record<string, string>>, source: object): string | undefined {
  return Object.entries(source)
    .filter(([field, value]) => value != null && Object.hasOwn(words, field))
    .map(([field]) => words[field])[0]
}
