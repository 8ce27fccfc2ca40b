// Which nodes and which neighbours a pod wants or avoids.

import { isDnsLabelName, isDnsSubdomainName, labelValueFaults } from '../../names.ts'
import type {
  Affinity,
  NodeAffinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  WeightedPodAffinityTerm,
} from '../../schema/generated/types.ts'
import type { Faults } from '../../validation/faults.ts'
import { checkLabelName, checkLabelSelector } from '../../validation/labels.ts'
import { checkLabelKeys } from './scheduling.ts'

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

export function checkAffinity(faults: Faults, at: string, affinity: Affinity | undefined) {
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

function checkNodeAffinity(faults: Faults, at: string, affinity: NodeAffinity) {
  const required = affinity[REQUIRED]
  if (required) {
    const path = `${at}.${REQUIRED}.nodeSelectorTerms`
    const terms = required.nodeSelectorTerms ?? []
    if (terms.length === 0) {
      faults.required(path, 'must have at least one node selector term')
    }
    for (const [index, term] of terms.entries()) {
      checkNodeTerm(faults, `${path}[${index}]`, term, true)
    }
  }
  for (const [index, { weight, preference }] of (affinity[PREFERRED] ?? []).entries()) {
    const path = `${at}.${PREFERRED}[${index}]`
    checkWeight(faults, `${path}.weight`, weight)
    checkNodeTerm(faults, `${path}.preference`, preference ?? {}, false)
  }
}

function checkNodeTerm(faults: Faults, at: string, term: NodeSelectorTerm, checksValues: boolean) {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    checkRequirement(faults, `${at}.matchExpressions[${index}]`, requirement, checksValues)
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    checkFieldRequirement(faults, `${at}.matchFields[${index}]`, requirement)
  }
}

function checkRequirement(
  faults: Faults,
  at: string,
  requirement: NodeSelectorRequirement,
  checksValues: boolean,
) {
  const { key = '', operator = '', values = [] } = requirement
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) break
      faults.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) break
      faults.forbidden(
        `${at}.values`,
        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      )
      break
    case 'Gt':
    case 'Lt':
      if (values.length === 1) break
      faults.required(
        `${at}.values`,
        "must be specified single value when `operator` is 'Lt' or 'Gt'",
      )
      break
    default:
      faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
  }
  checkLabelName(faults, `${at}.key`, key)
  if (!checksValues) return
  for (const [index, value] of values.entries()) {
    faults.invalidAll(`${at}.values[${index}]`, value, labelValueFaults(value))
  }
}

function checkFieldRequirement(faults: Faults, at: string, requirement: NodeSelectorRequirement) {
  const { key = '', operator = '', values = [] } = requirement
  if (operator !== 'In' && operator !== 'NotIn') {
    faults.invalid(`${at}.operator`, operator, 'not a valid selector operator')
  } else if (values.length !== 1) {
    const when = "when `operator` is 'In' or 'NotIn' for node field selector"
    faults.required(`${at}.values`, `must be only one value ${when}`)
  }
  if (key !== 'metadata.name') {
    return faults.invalid(`${at}.key`, key, 'not a valid field selector key')
  }
  for (const [index, value] of values.entries()) {
    faults.invalidAll(`${at}.values[${index}]`, value, isDnsSubdomainName(value, false))
  }
}

function checkWeightedTerm(faults: Faults, at: string, weighted: WeightedPodAffinityTerm) {
  checkWeight(faults, `${at}.weight`, weighted.weight)
  checkPodTerm(faults, `${at}.podAffinityTerm`, weighted.podAffinityTerm)
}

function checkPodTerm(faults: Faults, at: string, term: PodAffinityTerm) {
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

function checkWeight(faults: Faults, at: string, weight = 0) {
  if (weight <= 0 || weight > 100) faults.invalid(at, weight, 'must be in the range 1-100')
}
