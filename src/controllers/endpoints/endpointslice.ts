// Writes the EndpointSlices of every Service that selects pods.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import type { EndpointSlice, Service } from '../../api/schema/generated/types.ts'
import { type Controller, defineController, indexing, watching } from '../../kit/controller.ts'
import { hasLabels } from '../../kit/labels.ts'
import { ownerReference } from '../workloads/claims.ts'
import { serviceGroups } from './service-groups.ts'
import {
  HEADLESS,
  hasAddress,
  podsOf,
  selectsPods,
  servicesOf,
  watchingServicePods,
} from './service-pods.ts'
import { planSlices } from './slice-plan.ts'
import { performSlices } from './slice-writer.ts'
import { TriggerTimes } from './trigger-times.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslice-controller.k8s.io'
const ZONE = 'topology.kubernetes.io/zone'
const BY_NODE = 'node'

export function endpointSliceController(): Controller<Service> {
  const triggerTimes = new TriggerTimes()
  return defineController<Service>({
    name: 'endpoint-slice-controller',
    account: 'endpointslice-controller',
    reconciles: services,
    indexes: [indexing(pods, BY_NODE, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))],
    watches: [
      watchingServicePods,
      watching(endpointSlices, (slice) => serviceKeys(slice)),
      // Of a node, endpoints show its zone, and whether it is there at all.
      watching(
        nodes,
        ({ metadata }, list) => {
          const behind = list(pods).by(BY_NODE, metadata.name ?? '')
          return behind.flatMap((pod) => servicesOf(pod, list))
        },
        (change) =>
          change.type !== 'updated' ||
          change.object.metadata.labels?.[ZONE] !== change.old.metadata.labels?.[ZONE],
      ),
    ],

    async reconcile(service, kit, signal) {
      if (!selectsPods(service) || service.metadata.deletionTimestamp !== undefined) return
      const { name = '', namespace = '' } = service.metadata
      const behind = podsOf(service, kit.list)
      const groups = serviceGroups(service, behind, (node) => kit.list(nodes).get(node))
      const existing = kit
        .list(endpointSlices)
        .withLabels(namespace, { [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER })
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      const metadata = sliceMetadata(service)
      const [ours, foreign] = partition(existing, service)
      const plan = planSlices({ groups, existing: ours, metadata })
      const triggerTime = triggerTimes.next(service, behind)
      const withForeign = { ...plan, remove: [...plan.remove, ...foreign] }
      const about = { row: services, object: service }
      await performSlices(withForeign, { about, triggerTime }, kit, signal)
    },

    // The slices themselves go with their owner.
    async reconcileGone(key) {
      triggerTimes.forget(key)
    },
  })
}

function serviceKeys(slice: EndpointSlice): string[] {
  const name = slice.metadata.labels?.[SERVICE_NAME]
  if (name === undefined || !hasLabels(slice, { [MANAGED_BY]: MANAGER })) return []
  return [`${slice.metadata.namespace}/${name}`]
}

/** Slices of a namesake that was deleted are not ours to change. */
function partition(slices: readonly EndpointSlice[], service: Service) {
  const isOurs = ({ metadata }: EndpointSlice) =>
    metadata.ownerReferences?.some(({ uid }) => uid === service.metadata.uid) ?? false
  return [slices.filter(isOurs), slices.filter((slice) => !isOurs(slice))] as const
}

function sliceMetadata(service: Service) {
  const { name = '', namespace = '', labels = {} } = service.metadata
  const { [HEADLESS]: _headless, ...own } = labels
  return {
    generateName: `${name}-`,
    namespace,
    labels: {
      ...own,
      ...(hasAddress(service) ? {} : { [HEADLESS]: '' }),
      [SERVICE_NAME]: name,
      [MANAGED_BY]: MANAGER,
    },
    ownerReferences: [ownerReference(services, service)],
  }
}
