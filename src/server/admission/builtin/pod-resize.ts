// A pod does not come to ask for more than its node has. (upstream plugin PodResizeValidator)

import { podRequests } from '../../../api/pod/resources.ts'
import {
  compareQuantity,
  milliUnits,
  parseQuantity,
  type Quantity,
  wholeUnits,
} from '../../../api/quantity.ts'
import type { Node, Pod } from '../../../api/schema/generated/types.ts'
import { ApiError } from '../../../api/status.ts'
import { own } from '../../../lib/own.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

export function podResize(nodes: KindCache<Node>): AdmissionPlugin {
  return {
    name: 'PodResizeValidator',
    handles: ['UPDATE'],
    validate(attributes) {
      const { request, subresource } = attributes
      const { group, plural } = request.row
      if (group !== '' || plural !== 'pods' || subresource !== 'resize') return
      const pod = attributes.object as unknown as Pod
      const { nodeName } = pod.spec
      if (!nodeName || !hasNewSpec(attributes)) return
      const node = nodes.get({ name: nodeName })
      if (node === undefined) {
        throw refused(attributes, `node ${JSON.stringify(nodeName)} not found`)
      }
      const os = own(node.metadata.labels, 'kubernetes.io/os')
      if (os !== undefined && os !== 'linux') {
        const where = `node ${JSON.stringify(nodeName)} is ${JSON.stringify(os)}`
        const why = `pod resize is only supported on linux nodes, ${where}`
        throw withCause(refused(attributes, why), 'UnsupportedPlatform')
      }
      const lacks = lacking(pod, node)
      if (lacks.length === 0) return
      const why = `node didn't have enough allocatable resources: ${lacks.join('; ')}`
      throw withCause(refused(attributes, why), 'NodeCapacity')
    },
  }
}

/** The generation grows with every change of the spec, and with nothing else. */
export function hasNewSpec({ object, old }: Attributes): boolean {
  return object?.metadata.generation !== old?.metadata.generation
}

function lacking(pod: Pod, { status }: Node): string[] {
  const requests = podRequests(pod)
  const compare = (name: string, units: (quantity: Quantity) => number): string[] => {
    const [asked, there] = [requests, status?.allocatable].map((list) =>
      parseQuantity(own(list, name) ?? '0'),
    )
    if (compareQuantity(asked!, there!) <= 0) return []
    return [`${name}, requested: ${units(asked!)}, allocatable: ${units(there!)}`]
  }
  return [...compare('cpu', milliUnits), ...compare('memory', wholeUnits)]
}

function withCause(error: ApiError, reason: string): ApiError {
  const details = { ...error.details, causes: [{ reason }] }
  return new ApiError(error.code, error.reason, error.message, details)
}
