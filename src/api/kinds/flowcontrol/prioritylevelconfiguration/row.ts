// How many requests of a kind are carried out at once, and what becomes of the others.

import { defineResource } from '../../../resource.ts'
import type { PriorityLevelConfiguration } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkConditions } from '../conditions.ts'
import { applyLevelDefaults } from './defaults.ts'
import { checkPriorityLevel } from './validation.ts'

type Level = PriorityLevelConfiguration

const queuingOf = ({ spec }: Level) => spec?.limited?.limitResponse?.queuing

export const priorityLevelConfigurations = defineResource<Level>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  type: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  scope: 'Cluster',
  defaults: applyLevelDefaults,
  rules: [ruleOf(checkPriorityLevel)],
  status: {
    writes: ['status'],
    resets: ['metadata', 'spec'],
    rules: [ruleOf((faults, { status }) => checkConditions(faults, status?.conditions))],
  },
  columns: [
    textColumn('Type', 0, 'Exempt from all limits, or limited.', ({ spec }) => spec?.type ?? ''),
    textColumn('NominalConcurrencyShares', 0, 'Its share of all seats.', ({ spec }) => {
      return spec?.limited?.nominalConcurrencyShares ?? '<none>'
    }),
    textColumn('Queues', 0, 'Queues that requests wait in.', (level) => {
      return queuingOf(level)?.queues ?? '<none>'
    }),
    textColumn('HandSize', 0, 'Queues that one flow may wait in.', (level) => {
      return queuingOf(level)?.handSize ?? '<none>'
    }),
    textColumn('QueueLengthLimit', 0, 'Requests that wait in one queue at most.', (level) => {
      return queuingOf(level)?.queueLengthLimit ?? '<none>'
    }),
    ageColumn,
  ],
})
