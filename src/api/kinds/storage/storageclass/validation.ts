// What a StorageClass must be, and what of it may change (pkg/apis/storage/validation).

import type {
  StorageClass,
  TopologySelectorLabelRequirement,
  TopologySelectorTerm,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabelName, sortedByKey } from '../../../validation/labels.ts'
import { checkImmutable, checkSupported } from '../../../validation/values.ts'
import { checkParameters, checkProvisioner } from '../../../volume/parameters.ts'

export function checkStorageClass(
  faults: FieldErrors,
  storageClass: StorageClass,
  old: StorageClass | undefined,
) {
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode } = storageClass
  checkProvisioner(faults, 'provisioner', provisioner)
  checkParameters(faults, parameters)
  if (reclaimPolicy) checkSupported(faults, 'reclaimPolicy', reclaimPolicy, ['Delete', 'Retain'])
  const modes = ['Immediate', 'WaitForFirstConsumer']
  checkSupported(faults, 'volumeBindingMode', volumeBindingMode, modes)
  checkTopologies(faults, storageClass.allowedTopologies ?? [])
  if (!old) return
  const [now, before] = [parameters, old.parameters].map((map) => map && sortedByKey(map))
  checkImmutable(faults, 'parameters', now ?? null, before ?? null)
  for (const field of ['provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const) {
    checkImmutable(faults, field, storageClass[field], old[field])
  }
}

/** One term is complained of at most this often; upstream goes on. */
const DUPLICATES_MAX = 16

function checkTopologies(faults: FieldErrors, terms: readonly TopologySelectorTerm[]) {
  const seen = new Map<string, number>()
  for (const [index, { matchLabelExpressions = [] }] of terms.entries()) {
    const at = `allowedTopologies[${index}].matchLabelExpressions`
    const text = checkTerm(faults, at, matchLabelExpressions)
    const before = seen.get(text) ?? 0
    // Upstream begins with as many empty terms as there are terms.
    const same = before + (matchLabelExpressions.length === 0 ? terms.length : 0)
    for (let i = 0; i < Math.min(same, DUPLICATES_MAX); i++) faults.duplicate(at, '')
    seen.set(text, before + 1)
  }
}

/** The term as text that is equal for equal terms. */
function checkTerm(
  faults: FieldErrors,
  at: string,
  requirements: readonly TopologySelectorLabelRequirement[],
): string {
  const keys = new Map<string, string[]>()
  for (const [index, { key = '', ...requirement }] of requirements.entries()) {
    const values = requirement.values ?? []
    if (values.length === 0) faults.required(`${at}[${index}].values`)
    const unique = new Set<string>()
    for (const [valueIndex, value] of values.entries()) {
      if (unique.has(value)) faults.duplicate(`${at}[${index}].values[${valueIndex}]`, value)
      unique.add(value)
    }
    checkLabelName(faults, `${at}[${index}].key`, key)
    if (keys.has(key)) faults.duplicate(`${at}[${index}].key`, key)
    keys.set(key, [...unique].sort())
  }
  return JSON.stringify([...keys].sort(([a], [b]) => (a < b ? -1 : 1)))
}
