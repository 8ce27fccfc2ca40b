// What the claims of pods on this node are bound to, read from the server when a pod mounts them:
// a node may read only the claims of its own pods, and the volumes bound to those.

import { persistentVolumes } from '../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../api/kinds/core/persistentvolumeclaim/row.ts'
import { matchesNodeTerm } from '../api/requirement.ts'
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Volume,
} from '../api/schema/generated/types.ts'
import { claimNameOf, isEphemeralFor, notEphemeralFor } from '../api/volume/binding.ts'
import type { Client } from '../kit/client.ts'
import { isAbort } from '../lib/abort.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import type { ClaimReader } from '../volumes/contract.ts'

export type ClaimDeps = {
  readonly client: Client
  readonly clock: Clock
  /** This node, for volumes that not every node can reach. */
  readonly node: () => Node | undefined
}

/** A pod must not hang for ever on a server that does not answer; it tries again later. */
const WAIT_MS_MAX = 5_000

export function claimReader({ client, clock, node }: ClaimDeps): ClaimReader {
  return {
    async volumeOf(pod, volume, signal) {
      const { namespace = '' } = pod.metadata
      const name = claimNameOf(pod.metadata.name ?? '', volume) ?? ''
      const limit = timeLimit(clock, WAIT_MS_MAX, signal)
      const get = async <T>(what: string, answer: Promise<T>): Promise<T> => {
        try {
          return await answer
        } catch (error) {
          if (isAbort(error, signal)) throw error
          const why = error instanceof Error ? error.message : String(error)
          throw new Error(`failed to fetch ${what} from API server: ${why}`, { cause: error })
        }
      }
      try {
        const where = { namespace, name }
        const claim = await get('PVC', client.get(persistentVolumeClaims, where, limit.signal))
        const volumeName = boundVolumeOf(claim, pod, volume)
        const found = await get(
          `PV ${volumeName}`,
          client.get(persistentVolumes, { name: volumeName }, limit.signal),
        )
        return mountable(found, claim, node())
      } catch (error) {
        if (isAbort(error, signal)) throw error
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`error processing PVC ${namespace}/${name}: ${why}`, { cause: error })
      } finally {
        limit.done()
      }
    },
  }
}

/** Throws in the kubelet's words while the claim is not there to be mounted. */
export function boundVolumeOf(claim: PersistentVolumeClaim, pod: Pod, volume: Volume): string {
  if (volume.ephemeral && !isEphemeralFor(claim, pod)) throw new Error(notEphemeralFor(claim, pod))
  if (claim.metadata.deletionTimestamp !== undefined) throw new Error('PVC is being deleted')
  const { volumeName } = claim.spec
  if (claim.status?.phase !== 'Bound' || !volumeName) throw new Error('PVC is not bound')
  return volumeName
}

export function mountable(
  volume: PersistentVolume,
  { metadata }: PersistentVolumeClaim,
  node: Node | undefined,
): PersistentVolume {
  const { claimRef, nodeAffinity } = volume.spec
  const object = `found PV object ${volume.metadata.name}`
  if (claimRef === undefined) {
    const why = 'with nil pvc.Spec.ClaimRef indicating it is not yet bound to the claim'
    throw new Error(`${object} ${why}`)
  }
  if (claimRef.uid !== metadata.uid) {
    const why = `with a pvc.Spec.ClaimRef.UID ${claimRef.uid} that does not point to claimed PVC UID`
    throw new Error(`${object} ${why} ${metadata.uid}`)
  }
  const terms = nodeAffinity?.required?.nodeSelectorTerms
  if (terms === undefined) return volume
  const isHere = node !== undefined && terms.some((term) => matchesNodeTerm(term, node))
  if (!isHere) throw new Error('no matching NodeSelectorTerms')
  return volume
}
