// What a pod reads: the objects that its node must be able to get for it. Pure.

import type { Container, Pod, Volume } from '../../api/schema/generated/types.ts'

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
  for (const volume of spec.volumes ?? []) addVolume(volume, add)
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

function addVolume(
  { secret, configMap, projected, persistentVolumeClaim }: Volume,
  add: Add,
): void {
  add('secrets', secret?.secretName)
  add('configmaps', configMap?.name)
  add('persistentvolumeclaims', persistentVolumeClaim?.claimName)
  for (const source of projected?.sources ?? []) {
    add('secrets', source.secret?.name)
    add('configmaps', source.configMap?.name)
  }
}
