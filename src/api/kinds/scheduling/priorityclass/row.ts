import { own } from '../../../../lib/own.ts'
import { defineResource } from '../../../resource.ts'
import type { PriorityClass } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkImmutable, checkOneOf } from '../../../validation/values.ts'

export const priorityClasses = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  type: 'io.k8s.api.scheduling.v1.PriorityClass',
  scope: 'Cluster',
  shortNames: ['pc'],
  // Nothing that could change counts, so it stays at one.
  generationOf: () => true,
  defaults: (priorityClass) => {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  rules: [ruleOf(checkPriorityClass)],
  columns: [
    {
      name: 'Value',
      type: 'integer',
      priority: 0,
      description: 'The priority of pods of this class; higher is more important.',
      cell: (priorityClass) => priorityClass.value ?? 0,
    },
    {
      name: 'Global-Default',
      type: 'boolean',
      priority: 0,
      description: 'Whether pods without a class get this one.',
      cell: (priorityClass) => priorityClass.globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      priority: 0,
      description: 'Whether such pods push others out.',
      cell: (priorityClass) => priorityClass.preemptionPolicy ?? '',
    },
  ],
})

const USER_PRIORITY_MAX = 1_000_000_000
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
}

function checkPriorityClass(
  faults: FieldErrors,
  { metadata, value = 0, globalDefault, preemptionPolicy }: PriorityClass,
  old: PriorityClass | undefined,
) {
  if (old) {
    if (value !== (old.value ?? 0)) faults.forbidden('value', 'may not be changed in an update.')
    return checkImmutable(faults, 'preemptionPolicy', preemptionPolicy, old.preemptionPolicy)
  }
  const name = metadata.name ?? ''
  if (name.startsWith('system-')) {
    const fault = systemFault(name, value, globalDefault ?? false)
    const rule = "priority class names with 'system-' prefix are reserved for system use only"
    if (fault !== undefined) faults.forbidden('metadata.name', `${rule}. error: ${fault}`)
  } else if (value > USER_PRIORITY_MAX) {
    const detail = `maximum allowed value of a user defined priority is ${USER_PRIORITY_MAX}`
    faults.forbidden('value', detail)
  }
  checkOneOf(faults, 'preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never'])
}

function systemFault(name: string, value: number, isDefault: boolean): string | undefined {
  const wanted = own(SYSTEM_CLASSES, name)
  if (wanted === undefined) return `${name} is not a known system priority class`
  if (value !== wanted) return `value of ${name} PriorityClass must be ${wanted}`
  return isDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined
}
