// Keeps the rules of ClusterRoles that are made of others: admin, edit, view and those of users.

import { clusterRoles } from '../../api/kinds/rbac/rbac.ts'
import type { ClusterRole, PolicyRule } from '../../api/schema/generated/types.ts'
import { defineController, indexing, watching } from '../../kit/controller.ts'
import { matchesSelector } from '../../kit/labels.ts'

const AGGREGATED = 'aggregated'

/** The rules of all that one of its selectors picks, each once, in the order of names. */
export function planRules(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const byName = all.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const rules: PolicyRule[] = []
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    for (const part of byName) {
      if (nameOf(part) === nameOf(role) || !matchesSelector(part, selector)) continue
      for (const rule of part.rules ?? []) {
        if (!rules.some((known) => Bun.deepEquals(known, rule))) rules.push(rule)
      }
    }
  }
  return rules
}

const nameOf = ({ metadata }: ClusterRole) => metadata.name ?? ''

const isAggregated = ({ aggregationRule }: ClusterRole) => aggregationRule !== undefined

export const clusterRoleAggregationController = defineController<ClusterRole>({
  name: 'clusterrole-aggregation-controller',
  reconciles: clusterRoles,
  workers: 1,
  indexes: [indexing(clusterRoles, AGGREGATED, (role) => (isAggregated(role) ? ['yes'] : []))],
  watches: [
    // Any role may be a part of any other.
    watching(clusterRoles, (_role, list) => list(clusterRoles).by(AGGREGATED, 'yes').map(nameOf)),
  ],

  async reconcile(role, { list, writer }, signal) {
    if (!isAggregated(role)) return
    const rules = planRules(role, list(clusterRoles).all())
    if (Bun.deepEquals(rules, role.rules ?? [])) return
    await writer.replace(clusterRoles, { ...role, rules }, signal)
  },
})
