// Annotations that mean something to the server.

import { own } from '../../lib/own.ts'
import { JsonSyntaxError, parseJson, plainJson } from '../codec/json.ts'
import type { Pod, PodSpec, Toleration } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { APP_ARMOR, checkProfileAnnotations } from './profiles.ts'
import { checkTolerations } from './spec/scheduling.ts'

export const MIRROR = 'kubernetes.io/config.mirror'
const TOLERATIONS = 'scheduler.alpha.kubernetes.io/tolerations'
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost'
const INT32_MAX = 2_147_483_647

export function checkPodAnnotations(
  faults: FieldErrors,
  at: string,
  annotations: Readonly<Record<string, string>> = {},
  spec: PodSpec,
) {
  const mirror = annotations[MIRROR]
  if (mirror !== undefined && !spec.nodeName) {
    const detail = 'must set spec.nodeName if mirror pod annotation is set'
    faults.invalid(`${at}[${MIRROR}]`, mirror, detail)
  }
  const tolerations = annotations[TOLERATIONS]
  if (tolerations) checkTolerationsText(faults, at, tolerations)
  const cost = annotations[DELETION_COST]
  if (cost !== undefined && !isInt32(cost)) {
    faults.invalid(`${at}[${DELETION_COST}]`, cost, 'must be a 32bit integer')
  }
  checkProfileAnnotations(faults, at, annotations, spec)
}

/** Some annotations stand from the beginning or not at all. */
export function checkPodAnnotationsUpdate(faults: FieldErrors, at: string, pod: Pod, old: Pod) {
  const [annotations, before] = [pod.metadata.annotations ?? {}, old.metadata.annotations ?? {}]
  for (const [key, value] of Object.entries(before)) {
    if (own(annotations, key) === value) continue
    if (key.startsWith(APP_ARMOR)) {
      faults.forbidden(`${at}[${key}]`, 'may not remove or update AppArmor annotations')
    }
    if (key === MIRROR) {
      faults.forbidden(`${at}[${key}]`, 'may not remove or update mirror pod annotation')
    }
  }
  for (const key of Object.keys(annotations)) {
    if (own(before, key) !== undefined) continue
    if (key.startsWith(APP_ARMOR)) {
      faults.forbidden(`${at}[${key}]`, 'may not add AppArmor annotations')
    }
    if (key === MIRROR) faults.forbidden(`${at}[${key}]`, 'may not add mirror pod annotation')
  }
  checkPodAnnotations(faults, at, pod.metadata.annotations, pod.spec)
}

function checkTolerationsText(faults: FieldErrors, at: string, text: string) {
  let tolerations: unknown
  try {
    tolerations = plainJson(parseJson(text))
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    return faults.invalid(at, TOLERATIONS, error.message)
  }
  if (!Array.isArray(tolerations)) return
  checkTolerations(faults, `${at}.${TOLERATIONS}`, tolerations as Toleration[])
}

/** Neither a plus sign nor zeros in front. */
function isInt32(text: string): boolean {
  if (!/^(0|-[0-9]+|[1-9][0-9]*)$/.test(text)) return false
  const value = Number(text)
  return value >= -INT32_MAX - 1 && value <= INT32_MAX
}
