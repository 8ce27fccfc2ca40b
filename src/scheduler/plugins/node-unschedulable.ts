// Keeps pods off nodes that are cordoned.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { final, hintOf, type MakePlugin } from '../framework.ts'
import { hasNewTolerations, toleratesUnschedulable } from '../node-matching.ts'

export const nodeUnschedulable: MakePlugin = () => ({
  name: 'NodeUnschedulable',
  preFilter({ pod }) {
    if (toleratesUnschedulable(pod)) return undefined
    return {
      filter: ({ node }) =>
        node.spec?.unschedulable ? final('node(s) were unschedulable') : undefined,
    }
  },
  hints: [
    hintOf(nodes, (_, change) => {
      if (change.type === 'deleted' || change.object.spec?.unschedulable) return false
      return change.type === 'added' || Boolean(change.old.spec?.unschedulable)
    }),
    hintOf(pods, (pod, change) => {
      return hasNewTolerations(pod, change) && toleratesUnschedulable(change.object)
    }),
  ],
})
