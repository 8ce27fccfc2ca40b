// What a Node must be, and what may change in it (pkg/apis/core/validation).

import { parseCidr } from '../../../../lib/ip.ts'
import { labelValueFaults } from '../../../names.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import { checkAmount } from '../../../pod/spec/quantities.ts'
import { checkTaintEffect } from '../../../pod/spec/scheduling.ts'
import type { Node, Taint } from '../../../schema/generated/types.ts'
import { checkCidr, familyOf } from '../../../validation/addresses.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabelName } from '../../../validation/labels.ts'
import { checkPositive } from '../../../validation/values.ts'

export function checkNode(faults: FieldErrors, node: Node, old: Node | undefined) {
  const { spec, status } = node
  checkTaints(faults, spec.taints ?? [])
  checkResources(faults, node)
  const swap = status?.nodeInfo?.swap?.capacity
  if (swap !== undefined) checkPositive(faults, 'metadata.nodeSwapStatus.capacity', swap)
  checkFeatures(faults, status?.declaredFeatures ?? [])
  checkRanges(faults, spec.podCIDRs ?? [])
  if (old) checkNodeStatus(faults, node, old)
}

/** What holds for updates through either path. */
export function checkNodeStatus(faults: FieldErrors, node: Node, old: Node | undefined) {
  const { spec, status } = node
  checkResources(faults, node)
  checkFeatures(faults, status?.declaredFeatures ?? [])
  const seen = new Set<string>()
  for (const [index, address] of (status?.addresses ?? []).entries()) {
    const key = `${address.type} ${address.address}`
    if (seen.has(key)) {
      faults.duplicate(`status.addresses[${index}]`, internalForm('NodeAddress', address))
    }
    seen.add(key)
  }
  if (old) checkGiven(faults, node, old)
  checkTaints(faults, spec.taints ?? [])
  if (old && (spec.externalID ?? '') !== (old.spec.externalID ?? '')) {
    faults.forbidden('spec.externalID', 'may not be updated')
  }
}

/** Given once, kept for good. */
function checkGiven(faults: FieldErrors, { spec }: Node, { spec: before }: Node) {
  const [ranges, old] = [spec.podCIDRs ?? [], before.podCIDRs ?? []]
  const detail = 'node updates may not change podCIDR except from "" to valid'
  if (old.length > 0 && old.length !== ranges.length) faults.forbidden('spec.podCIDRs', detail)
  else {
    for (const [index, range] of old.entries()) {
      if (range !== ranges[index]) faults.forbidden('spec.podCIDRs', detail)
    }
  }
  if (before.providerID && before.providerID !== spec.providerID) {
    const fixed = 'node updates may not change providerID except from "" to valid'
    faults.forbidden('spec.providerID', fixed)
  }
}

// Upstream's path; the taints are in the spec all the same.
const TAINTS = 'metadata.taints'

function checkTaints(faults: FieldErrors, taints: readonly Taint[]) {
  const seen = new Set<string>()
  for (const [index, taint] of taints.entries()) {
    const path = `${TAINTS}[${index}]`
    const { key = '', value = '', effect } = taint
    checkLabelName(faults, `${path}.key`, key)
    const details = labelValueFaults(value)
    if (details.length > 0) faults.invalid(`${path}.value`, value, details.join(';'))
    checkTaintEffect(faults, `${path}.effect`, effect)
    const pair = `${key} ${effect}`
    if (seen.has(pair)) {
      const shown = internalForm('Taint', taint)
      faults.duplicate(path, shown, 'taints must be unique by key and effect pair')
    }
    seen.add(pair)
  }
}

function checkResources(faults: FieldErrors, { status }: Node) {
  for (const list of ['capacity', 'allocatable'] as const) {
    for (const [name, text] of Object.entries(status?.[list] ?? {})) {
      checkAmount(faults, `status.${list}.${name}`, name, text)
    }
  }
}

const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/
const FEATURE_MAX = 253

function checkFeatures(faults: FieldErrors, features: readonly string[]) {
  const at = 'status.declaredFeatures'
  for (const [index, feature] of features.entries()) {
    const fault = featureFault(feature)
    if (fault !== undefined) {
      faults.invalid(`${at}[${index}]`, feature, `invalid feature name "${feature}": ${fault}`)
    }
    const next = features[index + 1]
    if (next === undefined) continue
    if (feature === next) faults.duplicate(`${at}[${index + 1}]`, next)
    else if (feature > next) {
      faults.invalid(`${at}[${index + 1}]`, next, 'list must be sorted alphabetically')
    }
  }
}

function featureFault(feature: string): string | undefined {
  if (feature.length > FEATURE_MAX) return `must be no more than ${FEATURE_MAX} characters`
  if (FEATURE.test(feature)) return undefined
  const form =
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/'" +
    ' (e.g., MyFeature or MyFeature/mySubFeature)'
  return `${form}, and contain only alphanumeric characters and slashes`
}

function checkRanges(faults: FieldErrors, ranges: readonly string[]) {
  for (const [index, range] of ranges.entries()) {
    checkCidr(faults, `spec.podCIDRs[${index}]`, range)
  }
  if (ranges.length < 2) return
  const broken = ranges.findIndex((range) => parseCidr(range) === undefined)
  if (broken >= 0) {
    const why = `invalid CIDR[${broken}]: <nil> (invalid CIDR address: ${ranges[broken]})`
    const checking = 'invalid PodCIDRs. failed to check with dual stack with error:'
    faults.internal('spec.podCIDRs', checking + why)
  }
  const families = new Set(ranges.map((range) => familyOf(range.split('/')[0]!)))
  if (broken < 0 && ranges.length === 2 && families.size === 2) return
  const detail = 'may specify no more than one CIDR for each IP family'
  faults.invalid('spec.podCIDRs', ranges, detail)
}
