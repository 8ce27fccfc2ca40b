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
