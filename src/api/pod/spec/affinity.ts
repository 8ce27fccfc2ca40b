// Which nodes and which neighbours a pod wants or avoids.

import { isDnsLabelName } from '../../names.ts'
import { checkNodeSelector, checkNodeTerm } from '../../node/selector.ts'
import type {
  Affinity,
  NodeAffinity,
  PodAffinityTerm,
  WeightedPodAffinityTerm,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelName, checkLabelSelector } from '../../validation/labels.ts'
import { checkLabelKeys } from './scheduling.ts'

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

export function checkAffinity(faults: FieldErrors, at: string, affinity: Affinity | undefined) {
  if (affinity?.nodeAffinity) {
    checkNodeAffinity(faults, `${at}.nodeAffinity`, affinity.nodeAffinity)
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const path = `${at}.${kind}`
    for (const [index, term] of (affinity?.[kind]?.[REQUIRED] ?? []).entries()) {
      checkPodTerm(faults, `${path}.${REQUIRED}[${index}]`, term)
    }
    for (const [index, weighted] of (affinity?.[kind]?.[PREFERRED] ?? []).entries()) {
      checkWeightedTerm(faults, `${path}.${PREFERRED}[${index}]`, weighted)
    }
  }
}

function checkNodeAffinity(faults: FieldErrors, at: string, affinity: NodeAffinity) {
  const required = affinity[REQUIRED]
  if (required) checkNodeSelector(faults, `${at}.${REQUIRED}`, required)
  for (const [index, { weight, preference }] of (affinity[PREFERRED] ?? []).entries()) {
    const path = `${at}.${PREFERRED}[${index}]`
    checkWeight(faults, `${path}.weight`, weight)
    checkNodeTerm(faults, `${path}.preference`, preference ?? {}, false)
  }
}

function checkWeightedTerm(faults: FieldErrors, at: string, weighted: WeightedPodAffinityTerm) {
  checkWeight(faults, `${at}.weight`, weighted.weight)
  checkPodTerm(faults, `${at}.podAffinityTerm`, weighted.podAffinityTerm)
}

function checkPodTerm(faults: FieldErrors, at: string, term: PodAffinityTerm) {
  const { topologyKey = '', namespaces } = term
  checkLabelSelector(faults, `${at}.labelSelector`, term.labelSelector)
  checkLabelSelector(faults, `${at}.namespaceSelector`, term.namespaceSelector)
  for (const name of namespaces ?? []) {
    faults.invalidAll(`${at}.namespace`, name, isDnsLabelName(name, false))
  }
  checkLabelKeys(faults, at, term)
  if (!topologyKey) faults.required(`${at}.topologyKey`, 'can not be empty')
  checkLabelName(faults, `${at}.topologyKey`, topologyKey)
}

function checkWeight(faults: FieldErrors, at: string, weight = 0) {
  if (weight <= 0 || weight > 100) faults.invalid(at, weight, 'must be in the range 1-100')
}
