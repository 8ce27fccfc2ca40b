// A pod learns from its labels in which zone and region it runs, once its node is known.
// (upstream plugin PodTopologyLabels)

import type { Binding, Node, ObjectMeta, Pod } from '../../../api/schema/generated/types.ts'
import { own } from '../../../lib/own.ts'
import type { KindCache } from '../../storage/reader.ts'
import type { AdmissionPlugin } from '../chain.ts'

const COPIED = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region']

export function podTopologyLabels(nodes: KindCache<Node>): AdmissionPlugin {
  return {
    name: 'PodTopologyLabels',
    handles: ['CREATE'],
    admit({ request: { row }, subresource, object }) {
      if (row.group !== '' || row.plural !== 'pods') return
      if (subresource === '') {
        const { metadata, spec } = object as unknown as Pod
        if (spec.nodeName) copyLabels(nodes, spec.nodeName, metadata)
      } else if (subresource === 'binding') {
        const { metadata, target } = object as unknown as Binding
        // The binding hands its labels on to the pod.
        if (target.kind === 'Node' && target.name) copyLabels(nodes, target.name, metadata!)
      }
    },
  }
}

function copyLabels(nodes: KindCache<Node>, name: string, metadata: ObjectMeta): void {
  const labels = nodes.get({ name })?.metadata.labels ?? {}
  const copied = COPIED.filter((key) => own(labels, key) !== undefined)
  if (copied.length === 0) return
  metadata.labels = {
    ...metadata.labels,
    ...Object.fromEntries(copied.map((key) => [key, own(labels, key)!])),
  }
}
