// Which requests fall under which priority level.

import { type Column, defineResource } from '../../../resource.ts'
import type { FlowSchema } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkConditions } from '../conditions.ts'
import { checkFlowSchema } from './validation.ts'

const PRECEDENCE_DEFAULT = 1000

/** The condition of a schema whose level does not exist. */
export const DANGLING = 'Dangling'

const columns: readonly Column<FlowSchema>[] = [
  textColumn('PriorityLevel', 0, 'The level that its requests are carried out at.', ({ spec }) => {
    return spec.priorityLevelConfiguration?.name ?? ''
  }),
  textColumn('MatchingPrecedence', 0, 'Of those that fit the lowest counts.', ({ spec }) => {
    return spec.matchingPrecedence ?? 0
  }),
  textColumn('DistinguisherMethod', 0, 'What tells its flows apart.', ({ spec }) => {
    return spec.distinguisherMethod?.type ?? '<none>'
  }),
  ageColumn,
  textColumn('MissingPL', 0, 'Whether its level does not exist.', ({ status }) => {
    const found = status?.conditions?.find(({ type }) => type === DANGLING)
    return found === undefined ? '?' : (found.status ?? '')
  }),
]

export const flowSchemas = defineResource<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  type: 'io.k8s.api.flowcontrol.v1.FlowSchema',
  scope: 'Cluster',
  defaults: ({ spec }) => {
    if (spec !== undefined) spec.matchingPrecedence ||= PRECEDENCE_DEFAULT
  },
  rules: [ruleOf(checkFlowSchema)],
  status: {
    writes: ['status'],
    resets: ['metadata', 'spec'],
    rules: [ruleOf((faults, { status }) => checkConditions(faults, status?.conditions))],
  },
  columns,
  tableOrder: byPrecedence,
})

/** In the order that they are asked. */
export function byPrecedence(a: FlowSchema, b: FlowSchema): number {
  const precedenceOf = ({ spec }: FlowSchema) => spec?.matchingPrecedence ?? PRECEDENCE_DEFAULT
  const nameOf = ({ metadata }: FlowSchema) => metadata.name ?? ''
  return precedenceOf(a) - precedenceOf(b) || (nameOf(a) < nameOf(b) ? -1 : 1)
}
