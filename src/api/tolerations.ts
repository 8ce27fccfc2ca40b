// Whether a pod puts up with a taint of a node. Pure.

import type { Taint, Toleration } from './schema/generated/types.ts'

/** KEP-5471 adds the comparisons Lt and Gt, which validation refuses here. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  if (toleration.operator === 'Exists') return true
  const isEqual = (toleration.operator || 'Equal') === 'Equal'
  return isEqual && Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '')
}

export function isTolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint))
}

/** Without those that another one of the list makes needless. */
export function mergedTolerations(all: readonly Toleration[]): Toleration[] {
  const merged: Toleration[] = []
  for (const [index, one] of all.entries()) {
    const isKnown = merged.some((other) => covers(other, one))
    const later = all.slice(index + 1)
    if (!isKnown && !later.some((other) => !isSame(other, one) && covers(other, one))) {
      merged.push(one)
    }
  }
  return merged
}

const isSame = (a: Toleration, b: Toleration) => Bun.deepEquals(a, b)

/** Whether `wide` puts up with all that `narrow` puts up with. */
function covers(wide: Toleration, narrow: Toleration): boolean {
  if (isSame(wide, narrow)) return true
  const isOfAllKeys = !wide.key && wide.operator === 'Exists'
  if ((wide.key ?? '') !== (narrow.key ?? '') && !isOfAllKeys) return false
  if (wide.effect && wide.effect !== narrow.effect) return false
  if (wide.effect === 'NoExecute' && wide.tolerationSeconds !== undefined) {
    const seconds = narrow.tolerationSeconds
    if (seconds === undefined || seconds > wide.tolerationSeconds) return false
  }
  if (wide.operator === 'Exists') return true
  if (wide.operator && wide.operator !== 'Equal') return false
  return narrow.operator === 'Equal' && (narrow.value ?? '') === (wide.value ?? '')
}
