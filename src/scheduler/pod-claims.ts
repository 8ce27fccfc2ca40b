// The claims that a pod mounts, by name. Pure.

import type { Pod, Volume } from '../api/schema/generated/types.ts'

/** Claims that the pod names, and those that are made for it alone. */
export function claimNamesOf({ metadata, spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap((volume) => claimNameOf(metadata.name ?? '', volume) ?? [])
}

/** Claims that the pod names itself. */
export function namedClaimsOf({ spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? [])
}

function claimNameOf(podName: string, volume: Volume): string | undefined {
  if (volume.ephemeral !== undefined) return `${podName}-${volume.name}`
  return volume.persistentVolumeClaim?.claimName
}
