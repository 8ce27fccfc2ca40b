// A container whose image was changed is stopped and started anew in one go, and what is reported
// of the pod stands still meanwhile, as it does with the kubelet, whose worker is busy with it:
// readers see the old container until the new one runs, or until it is known that it does not.

import type { Seen } from './pod-seen.ts'

export function isReplacing({ pod, containers, troubles }: Seen): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false
  return pod.spec.containers.some(({ name, image }) => {
    const newest = containers.findLast((seen) => seen.name === name)
    const isInTrouble = troubles.has(`image/${name}`) || troubles.has(`start/${name}`)
    return newest !== undefined && newest.image !== image && !isInTrouble
  })
}
