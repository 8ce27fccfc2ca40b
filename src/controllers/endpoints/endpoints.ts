// Writes the Endpoints of every Service that selects pods, for clients that do not know slices.

import { endpoints } from '../../api/kinds/core/endpoints/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { keyOf } from '../../api/object.ts'
import type { Endpoints, Service } from '../../api/schema/generated/types.ts'
import { type Controller, defineController, type Kit, watching } from '../../kit/controller.ts'
import { hasLabels } from '../../kit/labels.ts'
import { isNamespaceTerminating } from '../failures.ts'
import {
  HEADLESS,
  hasAddress,
  podsOf,
  selectsPods,
  TRIGGER_TIME,
  watchingServicePods,
} from './service-pods.ts'
import { planSubsets, truncate } from './subsets.ts'
import { TriggerTimes } from './trigger-times.ts'

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by'
const MANAGER = 'endpoint-controller'
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity'

export function endpointsController(): Controller<Service> {
  const triggerTimes = new TriggerTimes()
  return defineController<Service>({
    name: 'endpoint-controller',
    reconciles: services,
    reads: [pods],
    watches: [
      watchingServicePods,
      // What somebody removed comes back; ours without a Service was left over from a stop.
      watching(
        endpoints,
        (object) => [keyOf(object)],
        ({ type, object }) => type === 'deleted' || hasLabels(object, { [MANAGED_BY]: MANAGER }),
      ),
    ],

    async reconcile(service, kit, signal) {
      if (!selectsPods(service)) return
      const behind = podsOf(service, kit.list)
      const triggerTime = triggerTimes.next(service, behind)
      const { subsets, isCut } = truncate(planSubsets(service, behind))
      const found = kit.list(endpoints).get(keyOf(service))
      const wanted = { labels: labelsFor(service), subsets, isCut }
      if (found !== undefined && isCurrent(found, wanted)) return
      await write(service, found, { ...wanted, triggerTime }, kit, signal)
    },

    async reconcileGone(key, { list, writer }, signal) {
      triggerTimes.forget(key)
      const left = list(endpoints).get(key)
      if (left !== undefined) await writer.remove(endpoints, left, {}, signal)
    },
  })
}

type Wanted = {
  labels: Record<string, string>
  subsets: NonNullable<Endpoints['subsets']>
  isCut: boolean
}

function labelsFor(service: Service): Record<string, string> {
  const { [HEADLESS]: _headless, ...own } = service.metadata.labels ?? {}
  const headless = hasAddress(service) ? {} : { [HEADLESS]: '' }
  return { ...own, ...headless, [MANAGED_BY]: MANAGER }
}

function isCurrent({ metadata, subsets = [] }: Endpoints, wanted: Wanted): boolean {
  const saysCut = metadata.annotations?.[OVER_CAPACITY] !== undefined
  return (
    saysCut === wanted.isCut &&
    Bun.deepEquals(metadata.labels ?? {}, wanted.labels) &&
    Bun.deepEquals(subsets ?? [], wanted.subsets)
  )
}

async function write(
  service: Service,
  found: Endpoints | undefined,
  { labels, subsets, isCut, triggerTime }: Wanted & { triggerTime: string | undefined },
  { writer, events }: Kit,
  signal: AbortSignal,
): Promise<void> {
  const { name = '', namespace = '' } = service.metadata
  const {
    [TRIGGER_TIME]: _time,
    [OVER_CAPACITY]: _cut,
    ...others
  } = found?.metadata.annotations ?? {}
  const annotations = {
    ...others,
    ...(triggerTime === undefined ? {} : { [TRIGGER_TIME]: triggerTime }),
    ...(isCut ? { [OVER_CAPACITY]: 'truncated' } : {}),
  }
  const metadata = { ...found?.metadata, name, namespace, labels, annotations }
  const object: Endpoints = { metadata, ...(subsets.length > 0 ? { subsets } : {}) }
  const about = { row: endpoints, object }
  try {
    if (found === undefined) await writer.create(endpoints, object, signal)
    else await writer.replace(endpoints, object, signal)
  } catch (error) {
    if (signal.aborted || isNamespaceTerminating(error)) return
    const why = error instanceof Error ? error.message : String(error)
    if (found === undefined) {
      const message = `Failed to create endpoint for service ${namespace}/${name}: ${why}`
      events.warning(about, 'FailedToCreateEndpoint', message)
    } else {
      const message = `Failed to update endpoint ${namespace}/${name}: ${why}`
      events.warning(about, 'FailedToUpdateEndpoint', message)
    }
    throw error
  }
}
