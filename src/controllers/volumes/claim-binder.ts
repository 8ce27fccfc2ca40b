// Gives claims their volumes, or asks for volumes to be made (upstream's
// persistentvolume-controller, its claims).

import { persistentVolumes } from '../../api/kinds/core/persistentvolume/row.ts'
import { persistentVolumeClaims } from '../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { storageClasses } from '../../api/kinds/storage/storageclass/row.ts'
import { keyOf } from '../../api/object.ts'
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../api/schema/generated/types.ts'
import {
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  boundVolume,
  hasAnnotation,
  OLD_PROVISIONER,
  PROVISIONER,
} from '../../api/volume/binding.ts'
import { className, defaultClass } from '../../api/volume/class.ts'
import {
  type Controller,
  defineController,
  type Kit,
  type ListOf,
  watching,
} from '../../kit/controller.ts'
import { isFinished } from '../pods.ts'
import { type ClaimView, claimStatus, type Note, planClaim } from './claim-plan.ts'
import {
  claimKeyOf,
  PENDING_BY_CLASS,
  PODS_BY_CLAIM,
  pendingByClass,
  podsByClaim,
  VOLUMES_BY_CLAIM,
  VOLUMES_BY_CLASS,
  volumesByClaim,
  volumesByClass,
} from './claims.ts'
import { Told } from './told.ts'

type Claim = PersistentVolumeClaim

export function claimBindingController(): Controller<Claim> {
  const told = new Told()

  return defineController<Claim>({
    name: 'persistentvolume-controller',
    account: 'persistent-volume-binder',
    reconciles: persistentVolumeClaims,
    reads: [pods],
    indexes: [podsByClaim, volumesByClass, volumesByClaim, pendingByClass],
    watches: [watching(persistentVolumes, claimsOfVolume), watching(storageClasses, claimsOfClass)],
    // Two claims must not reach for one volume at once.
    workers: 1,

    async reconcile(claim, kit, signal) {
      const plan = planClaim(claim, viewOf(claim, kit.list))
      switch (plan.do) {
        case 'bind':
          return bind(claim, plan.volume, kit, signal)
        case 'lose': {
          const isNew = claim.status?.phase !== 'Lost'
          await putPhase(claim, 'Lost', kit, signal)
          return isNew ? tell(claim, plan.note, kit, told) : undefined
        }
        case 'name-class': {
          const name = plan.name
          const edit = ({ spec }: Claim) => {
            spec.storageClassName = name
          }
          await kit.writer.change(persistentVolumeClaims, claim, edit, signal)
          return
        }
        case 'provision':
          await kit.writer.change(
            persistentVolumeClaims,
            claim,
            ({ metadata }) => {
              const annotations = {
                [OLD_PROVISIONER]: plan.provisioner,
                [PROVISIONER]: plan.provisioner,
              }
              if (metadata.annotations?.[PROVISIONER] === plan.provisioner) return
              metadata.annotations = { ...metadata.annotations, ...annotations }
            },
            signal,
          )
          return tell(claim, plan.note, kit, told)
        case 'wait':
          if (plan.note) tell(claim, plan.note, kit, told)
          if (plan.isWrong) {
            throw new Error(`bind claim ${keyOf(claim)}: ${plan.note?.message ?? ''}`)
          }
          await putPhase(claim, 'Pending', kit, signal)
          return
        default:
          plan satisfies never
      }
    },

    async reconcileGone(key) {
      told.forget(key)
    },
  })
}

function claimsOfVolume(volume: PersistentVolume, list: ListOf): string[] {
  const key = claimKeyOf(volume)
  const own = key === undefined ? [] : [key]
  const isFree = volume.status?.phase === 'Available'
  const waiting = isFree ? list(persistentVolumeClaims).by(PENDING_BY_CLASS, className(volume)) : []
  return [...own, ...waiting.map(keyOf)]
}

/** Also those that name no class: it may have become the default. */
function claimsOfClass({ metadata }: StorageClass, list: ListOf): string[] {
  const claims = list(persistentVolumeClaims)
  return ['', metadata.name ?? ''].flatMap((name) => claims.by(PENDING_BY_CLASS, name).map(keyOf))
}

function viewOf(claim: Claim, list: ListOf): ClaimView {
  const volumes = list(persistentVolumes)
  const classes = list(storageClasses)
  const key = keyOf(claim)
  const ofClass = volumes.by(VOLUMES_BY_CLASS, className(claim))
  const ofClaim = volumes.by(VOLUMES_BY_CLAIM, key)
  const waiting = list(pods)
    .by(PODS_BY_CLAIM, key)
    .filter((pod) => !pod.spec.nodeName && !isFinished(pod))
  return {
    volume: (name) => volumes.get(name),
    candidates: [...new Set([...ofClaim, ...ofClass])],
    storageClass: (name) => classes.get(name),
    defaultClass: defaultClass(classes.all()),
    waitingPods: waiting.map(({ metadata }) => metadata.name ?? '').sort(),
  }
}

/** In four steps, each of which may have been taken before. */
async function bind(
  claim: Claim,
  volume: PersistentVolume,
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const wanted = boundVolume(volume, claim)
  const bound = Bun.deepEquals(wanted, volume)
    ? volume
    : await writer.replace(persistentVolumes, wanted, signal)
  const { message: _message, ...status } = bound.status ?? {}
  if (bound.status?.phase !== 'Bound') {
    await writer.putStatus(persistentVolumes, bound, { ...status, phase: 'Bound' }, signal)
  }
  const named = await writer.change(
    persistentVolumeClaims,
    claim,
    (draft) => markBound(draft, volume.metadata.name!),
    signal,
  )
  const next = claimStatus(named, 'Bound', volume)
  await writer.putStatus(persistentVolumeClaims, named, next, signal)
}

function markBound(claim: Claim, volumeName: string): void {
  const { metadata, spec } = claim
  if (spec.volumeName !== volumeName) {
    spec.volumeName = volumeName
    if (!hasAnnotation(claim, BOUND_BY_CONTROLLER)) {
      metadata.annotations = { ...metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' }
    }
  }
  if (!hasAnnotation(claim, BIND_COMPLETED)) {
    metadata.annotations = { ...metadata.annotations, [BIND_COMPLETED]: 'yes' }
  }
}

async function putPhase(
  claim: Claim,
  phase: 'Lost' | 'Pending',
  { writer }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const status = claimStatus(claim, phase, undefined)
  await writer.putStatus(persistentVolumeClaims, claim, status, signal)
}

function tell(claim: Claim, note: Note, { events }: Kit, told: Told): void {
  const { type, reason, message } = note
  if (!told.isNews(keyOf(claim), `${reason} ${message}`)) return
  const subject = { row: persistentVolumeClaims, object: claim }
  if (type === 'Normal') events.normal(subject, reason, message)
  else events.warning(subject, reason, message)
}
