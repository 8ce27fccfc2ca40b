// Node selectors and node affinity, required and preferred.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { matchesNodeSelection, matchesNodeTerm } from '../../api/requirement.ts'
import type { NodeSelectorTerm, Pod } from '../../api/schema/generated/types.ts'
import { type Filtering, final, hintOf, type MakePlugin, normalised } from '../framework.ts'

export const nodeAffinity: MakePlugin = () => ({
  name: 'NodeAffinity',
  weight: 2,
  preFilter({ pod }) {
    const terms = requiredTerms(pod)
    if (terms === undefined && pod.spec?.nodeSelector === undefined) return undefined
    const nodeNames = namedBy(terms ?? [])
    if (nodeNames?.size === 0) return final('pod affinity terms conflict')
    const filtering: Filtering = {
      filter: ({ node }) =>
        matchesNodeSelection(pod.spec, node)
          ? undefined
          : final("node(s) didn't match Pod's node affinity/selector"),
    }
    return nodeNames === undefined ? filtering : { ...filtering, nodeNames }
  },
  preScore({ pod }) {
    const affinity = pod.spec?.affinity?.nodeAffinity
    const terms = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    if (terms.length === 0) return undefined
    return {
      score({ node }) {
        const matching = terms.filter(({ preference }) => matchesNodeTerm(preference, node))
        return matching.reduce((sum, { weight }) => sum + weight, 0)
      },
      normalize: (scores) => normalised(scores, 'more'),
    }
  },
  hints: [
    hintOf(nodes, (pod, change) => {
      if (change.type === 'deleted' || !matchesNodeSelection(pod.spec, change.object)) return false
      return change.type === 'added' || !matchesNodeSelection(pod.spec, change.old)
    }),
  ],
})

function requiredTerms({ spec }: Pod): readonly NodeSelectorTerm[] | undefined {
  const affinity = spec?.affinity?.nodeAffinity
  return affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
}

/** The nodes that the terms name, when each of them names some: there is no need to ask others. */
function namedBy(terms: readonly NodeSelectorTerm[]): ReadonlySet<string> | undefined {
  if (terms.length === 0) return undefined
  const all = new Set<string>()
  for (const { matchFields = [] } of terms) {
    const lists = matchFields
      .filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
      .map(({ values = [] }) => new Set(values))
    if (lists.length === 0) return undefined
    for (const name of lists.reduce((a, b) => a.intersection(b))) all.add(name)
  }
  return all
}
