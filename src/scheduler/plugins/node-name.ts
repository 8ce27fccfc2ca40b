// Keeps a pod that names its node off all others.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { final, hintOf, type MakePlugin } from '../framework.ts'

export const nodeName: MakePlugin = () => ({
  name: 'NodeName',
  preFilter({ pod }) {
    const wanted = pod.spec?.nodeName
    if (!wanted) return undefined
    return {
      filter: ({ node }) =>
        node.metadata.name === wanted
          ? undefined
          : final("node(s) didn't match the requested node name"),
    }
  },
  hints: [hintOf(nodes, (_, change) => change.type === 'added')],
})
