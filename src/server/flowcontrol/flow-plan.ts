// What the objects of the API make of priority and fairness, and what is to be written back. Pure.

import { bootstrapFlows, type Flows, isMandatory } from '../../api/kinds/flowcontrol/bootstrap.ts'
import { DANGLING } from '../../api/kinds/flowcontrol/flowschema/row.ts'
import type {
  FlowSchema,
  FlowSchemaCondition,
  PriorityLevelConfiguration,
} from '../../api/schema/generated/types.ts'

/** Without what was never checked, as in a store that was written to by other hands. */
export function wholeFlows(
  schemas: readonly FlowSchema[],
  levels: readonly PriorityLevelConfiguration[],
): Flows {
  return {
    flowschemas: schemas.filter((one: Partial<FlowSchema>) => {
      return one.spec?.priorityLevelConfiguration !== undefined
    }),
    prioritylevelconfigurations: levels.filter((one: Partial<PriorityLevelConfiguration>) => {
      return one.spec !== undefined
    }),
  }
}

/**
 * The objects as they count: mandatory ones that are missing stand in for themselves, and a schema
 * whose level does not exist does not count.
 */
export function effectiveFlows({ flowschemas, prioritylevelconfigurations }: Flows): Flows {
  const levels = withMandatory(
    prioritylevelconfigurations,
    bootstrapFlows().prioritylevelconfigurations,
  )
  const names = new Set(levels.map(({ metadata }) => metadata.name))
  const schemas = withMandatory(flowschemas, bootstrapFlows().flowschemas)
  return {
    flowschemas: schemas.filter(({ spec }) => names.has(spec.priorityLevelConfiguration.name)),
    prioritylevelconfigurations: levels,
  }
}

type Named = { readonly metadata: { name?: string } }

function withMandatory<O extends Named>(present: readonly O[], bootstrap: readonly O[]): O[] {
  const names = new Set(present.map(({ metadata }) => metadata.name))
  const missing = bootstrap.filter(
    ({ metadata: { name = '' } }) => isMandatory(name) && !names.has(name),
  )
  return [...present, ...missing]
}

export type StatusWrite = { readonly name: string; readonly condition: FlowSchemaCondition }

/** Every schema says whether its level exists. */
export function planStatuses(flows: Flows, nowText: string): StatusWrite[] {
  const { prioritylevelconfigurations } = effectiveFlows(flows)
  const levels = new Set(prioritylevelconfigurations.map(({ metadata }) => metadata.name))
  return flows.flowschemas.flatMap((schema) => {
    const wanted = danglingCondition(schema, levels)
    const found = schema.status?.conditions?.find(({ type }) => type === DANGLING)
    const { status, reason, message } = found ?? {}
    const isSaid =
      status === wanted.status && reason === wanted.reason && message === wanted.message
    const condition = { ...wanted, lastTransitionTime: nowText }
    return isSaid ? [] : [{ name: schema.metadata.name ?? '', condition }]
  })
}

function danglingCondition(
  { spec }: FlowSchema,
  levels: ReadonlySet<string | undefined>,
): FlowSchemaCondition {
  const name = spec.priorityLevelConfiguration.name
  const exists = levels.has(name)
  const end = exists ? 'and it exists' : 'but there is no such object'
  const what = `PriorityLevelConfiguration object named ${JSON.stringify(name)}`
  return {
    type: DANGLING,
    status: exists ? 'False' : 'True',
    reason: exists ? 'Found' : 'NotFound',
    message: `This FlowSchema references the ${what} ${end}`,
  }
}
