// Keeps pods off tainted nodes, and prefers nodes with fewer taints that only advise.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { isTolerated } from '../../api/tolerations.ts'
import { final, hintOf, type MakePlugin, normalised } from '../framework.ts'
import { hasNewTolerations, untoleratedTaint } from '../node-matching.ts'

export const taintToleration: MakePlugin = () => ({
  name: 'TaintToleration',
  weight: 3,
  preFilter: ({ pod }) => ({
    filter: ({ node }) => untoleratedTaint(pod, node) && final('node(s) had untolerated taint(s)'),
  }),
  preScore({ pod }) {
    const advised = (pod.spec?.tolerations ?? []).filter(
      ({ effect }) => !effect || effect === 'PreferNoSchedule',
    )
    return {
      score({ node }) {
        const soft = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule')
        return soft.filter((taint) => !isTolerated(advised, taint)).length
      },
      normalize: (scores) => normalised(scores, 'less'),
    }
  },
  hints: [
    hintOf(nodes, (pod, change) => {
      if (change.type === 'deleted' || untoleratedTaint(pod, change.object)) return false
      return change.type === 'added' || untoleratedTaint(pod, change.old) !== undefined
    }),
    hintOf(pods, hasNewTolerations),
  ],
})
