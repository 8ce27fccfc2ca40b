// Carries a plan for EndpointSlices out.

import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import type { EndpointSlice } from '../../api/schema/generated/types.ts'
import type { Kit } from '../../kit/controller.ts'
import type { About } from '../../kit/events.ts'
import { isNamespaceTerminating } from '../failures.ts'
import { TRIGGER_TIME } from './service-pods.ts'
import type { SlicePlan } from './slice-plan.ts'

type Told = { about: About; triggerTime: string | undefined }

export async function performSlices(
  plan: SlicePlan,
  { about, triggerTime }: Told,
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const draft of plan.create) {
      await writer.create(endpointSlices, timed(draft, triggerTime), signal)
    }
    for (const slice of plan.update) {
      await writer.replace(endpointSlices, timed(slice, triggerTime), signal)
    }
    for (const slice of plan.remove) await writer.remove(endpointSlices, slice, {}, signal)
  } catch (error) {
    if (signal.aborted || isNamespaceTerminating(error)) return
    const { namespace, name } = about.object.metadata
    const why = error instanceof Error ? error.message : String(error)
    const { kind } = about.row
    const message = `Error updating Endpoint Slices for ${kind} ${namespace}/${name}: ${why}`
    events.warning(about, 'FailedToUpdateEndpointSlices', message)
    throw error
  }
}

/** Without a new trigger the old time would tell of a change that is long over. */
function timed(slice: EndpointSlice, triggerTime: string | undefined): EndpointSlice {
  const { [TRIGGER_TIME]: _old, ...annotations } = slice.metadata.annotations ?? {}
  const time = triggerTime === undefined ? {} : { [TRIGGER_TIME]: triggerTime }
  return { ...slice, metadata: { ...slice.metadata, annotations: { ...annotations, ...time } } }
}
