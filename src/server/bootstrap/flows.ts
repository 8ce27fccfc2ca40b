// The FlowSchemas and PriorityLevelConfigurations that every cluster has.

import { AUTOUPDATE, bootstrapFlows, isMandatory } from '../../api/kinds/flowcontrol/bootstrap.ts'
import { flowSchemas } from '../../api/kinds/flowcontrol/flowschema/row.ts'
import { priorityLevelConfigurations } from '../../api/kinds/flowcontrol/prioritylevelconfiguration/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { FlowSchema } from '../../api/schema/generated/types.ts'
import type { App } from '../contract.ts'
import { writeStatus } from '../flowcontrol/flow-objects.ts'
import { planStatuses } from '../flowcontrol/flow-plan.ts'
import { read, type Wanted, write } from './requests.ts'

const MANAGER = 'api-priority-and-fairness-config-producer-v1'

/** Makes what is missing, and brings what follows upstream's suggestions back to them. */
export async function ensureFlows(app: App): Promise<void> {
  const { flowschemas, prioritylevelconfigurations } = bootstrapFlows()
  const wanted = [
    ...prioritylevelconfigurations.map((object) => ({
      row: priorityLevelConfigurations,
      object,
      manager: MANAGER,
    })),
    ...flowschemas.map((object) => ({ row: flowSchemas, object, manager: MANAGER })),
  ]
  await Promise.all(wanted.map((one) => ensure(app, one)))
}

async function ensure(app: App, wanted: Wanted): Promise<void> {
  const present = await read(app, wanted)
  if (present === undefined) return make(app, wanted)
  const object = planRevision(wanted.object, present as KubeObject)
  if (object !== undefined) await write(app, 'PUT', { ...wanted, object })
}

/** A schema says from the beginning that its level exists. */
async function make(app: App, wanted: Wanted): Promise<void> {
  const made = (await write(app, 'POST', wanted)) as FlowSchema | undefined
  if (wanted.row !== flowSchemas || made === undefined) return
  const { prioritylevelconfigurations } = bootstrapFlows()
  const flows = { flowschemas: [made], prioritylevelconfigurations }
  const writes = planStatuses(flows, made.metadata.creationTimestamp ?? '')
  await Promise.all(writes.map((one) => writeStatus(app, one)))
}

type Configured = KubeObject & { spec?: unknown }

/** What to store in the place of `present`; undefined when it is fine as it is. Pure. */
export function planRevision(wanted: Configured, present: Configured): Configured | undefined {
  const follows = isMandatory(wanted.metadata.name ?? '') || followsSuggestion(present)
  const annotations = { ...present.metadata.annotations }
  const isNoted = asBoolean(annotations[AUTOUPDATE]) === follows
  const isSame = !follows || isAsWanted(wanted, present)
  if (isNoted && isSame) return undefined
  if (!isNoted) annotations[AUTOUPDATE] = String(follows)
  return {
    ...present,
    metadata: { ...present.metadata, annotations },
    ...(isSame ? {} : { spec: wanted.spec }),
  }
}

/** What `exempt` lends is the operator's to say. */
function isAsWanted(wanted: Configured, present: Configured): boolean {
  const { exempt: _wanted, ...fixed } = wanted.spec as { exempt?: unknown }
  const { exempt: _present, ...found } = present.spec as { exempt?: unknown }
  return Bun.deepEquals(fixed, found)
}

/** As the annotation says; without one, what nobody has changed follows. */
function followsSuggestion({ metadata }: Configured): boolean {
  return asBoolean(metadata.annotations?.[AUTOUPDATE]) ?? metadata.generation === 1
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/** As Go reads it. */
function asBoolean(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  return TRUE.has(text) ? true : FALSE.has(text) ? false : undefined
}
