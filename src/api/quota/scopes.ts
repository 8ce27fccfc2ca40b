// Which objects a quota with scopes is about.

import { meets } from '../requirement.ts'
import type { ResourceQuota } from '../schema/generated/types.ts'
import type { ScopeRequirement } from './contract.ts'

/** All that must hold for an object: the scopes, and the expressions of the selector. */
export function requirementsOf({ spec }: ResourceQuota): ScopeRequirement[] {
  const scopes = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }))
  return [...scopes, ...(spec?.scopeSelector?.matchExpressions ?? [])]
}

/** Whether one of the classes that an object has, or its having none, is what is asked for. */
export function meetsWithOneOf(
  requirement: ScopeRequirement,
  classes: readonly (string | undefined)[],
): boolean {
  const named = classes.filter((name) => name !== undefined && name !== '')
  if (named.length === 0) return meets(requirement, undefined)
  return named.some((name) => meets(requirement, name))
}
