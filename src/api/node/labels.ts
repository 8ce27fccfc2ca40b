// Labels of nodes that have newer names, for warnings (pkg/api/node).

import { own } from '../../lib/own.ts'
import { labelValueFaults } from '../names.ts'
import type { NodeSelectorTerm } from '../schema/generated/types.ts'

export const OLD_NODE_LABELS: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region':
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone':
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type':
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods':
    'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
}

/** What to say of a label of nodes that has had its day. */
export function nodeLabelWarning(key: string): string | undefined {
  return own(OLD_NODE_LABELS, key)
}

export function termWarnings(at: string, term: NodeSelectorTerm, checksValues: boolean): string[] {
  return (term.matchExpressions ?? []).flatMap(({ key, values }, index) => {
    const field = `${at}.matchExpressions[${index}]`
    const old = own(OLD_NODE_LABELS, key)
    const bad = (checksValues ? (values ?? []) : []).flatMap((value, valueIndex) =>
      labelValueFaults(value).map(
        (fault) => `${field}.values[${valueIndex}]: ${value} is invalid, ${fault}`,
      ),
    )
    return [...(old === undefined ? [] : [`${field}.key: ${key} is ${old}`]), ...bad]
  })
}
