// Keeps a pod that needs a feature off nodes that do not say that they have it (KEP-5328).

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import { final, hintOf, type MakePlugin } from '../framework.ts'

/** By name: whether a pod needs the feature. Those of upstream that a new pod can need. */
const FEATURES: readonly [name: string, isNeeded: (pod: Pod) => boolean][] = [
  [
    'RestartAllContainersOnContainerExits',
    ({ spec }) =>
      [...spec.containers, ...(spec.initContainers ?? [])].some(({ restartPolicyRules = [] }) =>
        restartPolicyRules.some(({ action }) => action === 'RestartAllContainers'),
      ),
  ],
  [
    'UserNamespacesHostNetworkSupport',
    ({ spec }) => spec.hostNetwork === true && spec.hostUsers === false,
  ],
]

export const nodeDeclaredFeatures: MakePlugin = () => ({
  name: 'NodeDeclaredFeatures',
  preFilter({ pod }) {
    const needed = neededBy(pod)
    if (needed.length === 0) return undefined
    return {
      filter: ({ node }) =>
        hasAll(node, needed) ? undefined : final("node(s) didn't match Pod's required features"),
    }
  },
  hints: [
    hintOf(nodes, (pod, change) => {
      const needed = neededBy(pod)
      if (change.type === 'deleted' || !hasAll(change.object, needed)) return false
      return change.type === 'added' || !hasAll(change.old, needed)
    }),
  ],
})

function neededBy(pod: Pod): string[] {
  return FEATURES.filter(([, isNeeded]) => isNeeded(pod)).map(([name]) => name)
}

function hasAll({ status }: Node, needed: readonly string[]): boolean {
  return needed.every((name) => status?.declaredFeatures?.includes(name))
}
