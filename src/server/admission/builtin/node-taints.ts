// A node takes no pods before it has said that it is ready.
// (upstream plugin TaintNodesByCondition)

import type { Node } from '../../../api/schema/generated/types.ts'
import type { AdmissionPlugin } from '../chain.ts'

const NOT_READY = 'node.kubernetes.io/not-ready'

export const nodeTaints: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  admit({ request: { row }, operation, subresource, object }) {
    if (row.group !== '' || row.plural !== 'nodes') return
    if (operation !== 'CREATE' || subresource !== '') return
    const node = object as unknown as Node
    const taints = node.spec?.taints ?? []
    const isMarked = taints.some(({ key, effect }) => key === NOT_READY && effect === 'NoSchedule')
    if (isMarked) return
    node.spec = { ...node.spec, taints: [...taints, { key: NOT_READY, effect: 'NoSchedule' }] }
  },
}
