// The FlowSchemas and PriorityLevelConfigurations that every cluster has.

import type { FlowSchema, PriorityLevelConfiguration } from '../../schema/generated/types.ts'
import bootstrapText from './bootstrap.json' with { type: 'text' }

export type Flows = {
  readonly flowschemas: readonly FlowSchema[]
  readonly prioritylevelconfigurations: readonly PriorityLevelConfiguration[]
}

/** Says, with "true" or "false", whether an object follows upstream's suggestion. */
export const AUTOUPDATE = 'apf.kubernetes.io/autoupdate-spec'

const MANDATORY = new Set(['exempt', 'catch-all'])

/** Not to be changed. Parsed at the first question. */
export const bootstrapFlows = lazily(() => JSON.parse(bootstrapText as unknown as string) as Flows)

function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Nobody can do without these, so their specs are fixed. */
export function isMandatory(name: string): boolean {
  return MANDATORY.has(name)
}

export function mandatorySchema(name: string): FlowSchema | undefined {
  if (!isMandatory(name)) return undefined
  return bootstrapFlows().flowschemas.find(({ metadata }) => metadata.name === name)
}

export function mandatoryLevel(name: string): PriorityLevelConfiguration | undefined {
  if (!isMandatory(name)) return undefined
  return bootstrapFlows().prioritylevelconfigurations.find(({ metadata }) => metadata.name === name)
}
