// A pod on a node is not changed in a way that its node has not said it can follow.
// (upstream plugin NodeDeclaredFeatureValidator)

import { isSidecar } from '../../../api/pod/containers.ts'
import type { Node, Pod } from '../../../api/schema/generated/types.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, refused } from '../chain.ts'
import { hasNewSpec } from './pod-resize.ts'

/** By name: whether a change wants the feature. Those of upstream that a change can want. */
const WANTED: readonly [name: string, isWanted: (pod: Pod, old: Pod) => boolean][] = [
  [
    'InPlacePodLevelResourcesVerticalScaling',
    ({ spec }, { spec: old }) => !Bun.deepEquals(spec.resources ?? {}, old.resources ?? {}),
  ],
  [
    'InPlacePodVerticalScalingInitContainers',
    ({ spec }, { spec: old }) =>
      (old.initContainers ?? []).some(
        (container, i) =>
          !isSidecar(container) &&
          !Bun.deepEquals(container.resources ?? {}, spec.initContainers?.[i]?.resources ?? {}),
      ),
  ],
]

export function declaredFeatures(nodes: KindCache<Node>): AdmissionPlugin {
  return {
    name: 'NodeDeclaredFeatureValidator',
    handles: ['UPDATE'],
    validate(attributes) {
      const { request, subresource } = attributes
      const { group, plural } = request.row
      if (group !== '' || plural !== 'pods' || !['', 'resize'].includes(subresource)) return
      const pod = attributes.object as unknown as Pod
      const { nodeName } = pod.spec
      if (!nodeName || !hasNewSpec(attributes)) return
      const old = attributes.old as unknown as Pod
      const wanted = WANTED.filter(([, isWanted]) => isWanted(pod, old)).map(([name]) => name)
      if (wanted.length === 0) return
      const shown = JSON.stringify(nodeName)
      const node = nodes.get({ name: nodeName })
      if (node === undefined) throw refused(attributes, `node ${shown} not found`)
      const lacks = wanted.filter((name) => !node.status?.declaredFeatures?.includes(name))
      if (lacks.length === 0) return
      const what = `pod update requires features ${lacks.join(', ')}`
      throw refused(attributes, `${what} which are not available on node ${shown}`)
    },
  }
}
