// Decides what a deletion makes of an object. Pure.
//
//   standing ─(grace, finalizers)─► marked: deletionTimestamp ─(last finalizer, grace over)─► gone

import type { AnyObject } from '../../../api/object.ts'
import type { AnyRow } from '../../../api/resource.ts'
import { formatTime, parseTime } from '../../../api/time.ts'
import type { DeleteOptions } from '../../request/options.ts'

/** Finalizers that tell the garbage collector what to do with the dependents. */
export const ORPHAN = 'orphan'
export const FOREGROUND = 'foregroundDeletion'

type Deletable = Pick<AnyRow, 'graceSeconds' | 'orphansByDefault'>

/**
 * What to store instead of `old`: 'gone' for nothing any more, 'pending' when its deletion is
 * already under way and this request does not hasten it.
 */
export function planDeletion(
  row: Deletable,
  old: AnyObject,
  options: DeleteOptions,
  nowMs: number,
): AnyObject | 'gone' | 'pending' {
  const grace = planGrace(row, old, options, nowMs)
  if (grace === 'pending') return 'pending'
  const finalizers = finalizersFor(row, old, options)
  const metadata = { ...old.metadata, ...(grace === 'none' ? {} : grace) }
  if (finalizers.length > 0) metadata.finalizers = finalizers
  else delete metadata.finalizers
  if (grace !== 'none') {
    // Zero seconds, and nobody to wait for.
    if (metadata.deletionGracePeriodSeconds === 0 && finalizers.length === 0) return 'gone'
    return { ...old, metadata }
  }
  if (finalizers.length === 0) return 'gone'
  const { deletionTimestamp, generation } = old.metadata
  if (deletionTimestamp === undefined && generation) metadata.generation = generation + 1
  if (deletionTimestamp === undefined || parseTime(deletionTimestamp) > nowMs) {
    metadata.deletionTimestamp = formatTime(nowMs)
  }
  metadata.deletionGracePeriodSeconds = 0
  return { ...old, metadata }
}

/** What a deletion that leaves nothing answers: `old` with the marks that it would have borne. */
export function lastForm(
  row: Deletable,
  old: AnyObject,
  options: DeleteOptions,
  nowMs: number,
): AnyObject {
  const grace = planGrace(row, old, options, nowMs)
  return typeof grace === 'string' ? old : { ...old, metadata: { ...old.metadata, ...grace } }
}

type Grace = Pick<
  AnyObject['metadata'],
  'deletionTimestamp' | 'deletionGracePeriodSeconds' | 'generation'
>

/** 'none' for kinds, and objects, that are not deleted with grace. */
function planGrace(
  row: Deletable,
  old: AnyObject,
  options: DeleteOptions,
  nowMs: number,
): Grace | 'none' | 'pending' {
  if (row.graceSeconds === undefined) return 'none'
  const wished = options.gracePeriodSeconds
  const asked = wished !== undefined && wished < 0 ? 1 : wished
  const { deletionTimestamp, deletionGracePeriodSeconds: before, generation } = old.metadata
  if (deletionTimestamp !== undefined) {
    if (!before) return 'none'
    if (asked === undefined || asked >= before) return 'pending'
    const startMs = parseTime(deletionTimestamp) - before * 1000
    const endMs = startMs + asked * 1000
    // A grace that has run out is cut to the shortest one: the node still gets to stop it.
    if (endMs >= nowMs) return graceUntil(endMs, asked)
    return graceUntil(nowMs, asked === 0 ? 0 : 1)
  }
  const seconds = row.graceSeconds(old, asked)
  if (seconds === undefined) return 'none'
  const bumped = generation ? { generation: generation + 1 } : {}
  return { ...graceUntil(nowMs + seconds * 1000, seconds), ...bumped }
}

function graceUntil(endMs: number, seconds: number): Grace {
  return { deletionTimestamp: formatTime(endMs), deletionGracePeriodSeconds: seconds }
}

/** The object's finalizers, with those that ask the garbage collector for what was asked here. */
function finalizersFor(row: Deletable, old: AnyObject, options: DeleteOptions): string[] {
  const before = old.metadata.finalizers ?? []
  const orphan = options.orphanDependents
  const policy = options.propagationPolicy
  const others = before.filter((name) => name !== ORPHAN && name !== FOREGROUND)
  if (orphan !== undefined) return orphan ? [...others, ORPHAN] : others
  if (policy === 'Orphan') return [...others, ORPHAN]
  if (policy === 'Foreground') return [...others, FOREGROUND]
  if (policy === 'Background') return others
  const standing = before.find((name) => name === ORPHAN || name === FOREGROUND)
  if (standing !== undefined) return [...others, standing]
  return row.orphansByDefault ? [...others, ORPHAN] : others
}
