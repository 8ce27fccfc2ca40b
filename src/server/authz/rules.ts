// What a single rule allows, and whether a set of rules covers another. Pure.
//
// Semantics of rbac/v1 PolicyRule: lists may hold `*`; resources may be `*`, `x`, `x/sub` or
// `*/sub`; paths may end in `*`.

import type { PolicyRule } from '../../api/schema/generated/types.ts'
import type { Access } from './authorizer.ts'

const ALL = '*'

export function allows(rule: PolicyRule, access: Access): boolean {
  if (!hasVerb(rule, access.verb)) return false
  if (!access.isResource)
    return (rule.nonResourceURLs ?? []).some((url) => matchesPath(url, access.path))
  const { group, resource, subresource, name } = access
  return hasGroup(rule, group) && hasResource(rule, resource, subresource) && hasName(rule, name)
}

function hasVerb({ verbs }: PolicyRule, verb: string): boolean {
  return verbs.includes(verb) || verbs.includes(ALL)
}

function hasGroup({ apiGroups = [] }: PolicyRule, group: string): boolean {
  return apiGroups.includes(group) || apiGroups.includes(ALL)
}

function hasResource(
  { resources = [] }: PolicyRule,
  resource: string,
  subresource: string,
): boolean {
  const full = subresource === '' ? resource : `${resource}/${subresource}`
  if (resources.includes(full) || resources.includes(ALL)) return true
  return subresource !== '' && resources.includes(`${ALL}/${subresource}`)
}

function hasName({ resourceNames = [] }: PolicyRule, name: string): boolean {
  return resourceNames.length === 0 || resourceNames.includes(name)
}

function matchesPath(pattern: string, path: string): boolean {
  if (pattern === ALL || pattern === path) return true
  return pattern.endsWith(ALL) && path.startsWith(pattern.slice(0, -1))
}

/**
 * The parts of `wanted` that `owned` does not cover: what somebody may not hand on. Each is a rule
 * of one verb on one resource (or path), as upstream's validation breaks them down.
 */
export function uncovered(
  owned: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): PolicyRule[] {
  return wanted.flatMap(atoms).filter((atom) => !owned.some((rule) => covers(rule, atom)))
}

function atoms(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const names = resourceNames.length === 0 ? [undefined] : resourceNames
  const found: PolicyRule[] = []
  for (const verb of verbs) {
    for (const group of apiGroups) {
      for (const resource of resources) {
        for (const name of names) {
          const one = { verbs: [verb], apiGroups: [group], resources: [resource] }
          found.push(name === undefined ? one : { ...one, resourceNames: [name] })
        }
      }
    }
    for (const url of nonResourceURLs) found.push({ verbs: [verb], nonResourceURLs: [url] })
  }
  return found
}

function covers(rule: PolicyRule, atom: PolicyRule): boolean {
  if (!hasVerb(rule, atom.verbs[0]!)) return false
  const [url] = atom.nonResourceURLs ?? []
  if (url !== undefined) return (rule.nonResourceURLs ?? []).some((own) => coversPath(own, url))
  const [resource, subresource = ''] = atom.resources![0]!.split('/')
  const [name] = atom.resourceNames ?? []
  const coversName =
    (rule.resourceNames ?? []).length === 0 ||
    (name !== undefined && rule.resourceNames!.includes(name))
  return (
    hasGroup(rule, atom.apiGroups![0]!) && hasResource(rule, resource!, subresource) && coversName
  )
}

function coversPath(own: string, url: string): boolean {
  if (own === url) return true
  return own.endsWith(ALL) && url.startsWith(own.slice(0, -1))
}

/** A rule as Go prints it in messages about escalation. */
export function describeRule(rule: PolicyRule): string {
  const list = (name: string, values: readonly string[] | undefined) =>
    values && values.length > 0
      ? [`${name}:[${values.map((v) => JSON.stringify(v)).join(' ')}]`]
      : []
  const parts = [
    ...list('APIGroups', rule.apiGroups),
    ...list('Resources', rule.resources),
    ...list('NonResourceURLs', rule.nonResourceURLs),
    ...list('ResourceNames', rule.resourceNames),
    ...list('Verbs', rule.verbs),
  ]
  return `{${parts.join(', ')}}`
}
