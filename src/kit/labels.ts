// Label selectors of objects already in memory. Text selectors of requests are the server's matter.

import type { KubeObject } from '../api/object.ts'

/** The structured selector of workloads (meta/v1 LabelSelector). */
export type LabelSelector = {
  matchLabels?: Readonly<Record<string, string>> | undefined
  matchExpressions?: readonly Requirement[] | undefined
}

type Requirement = { key: string; operator: string; values?: readonly string[] | undefined }

/** True when `object` carries all of `labels`. */
export function hasLabels(object: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  const own = object.metadata.labels ?? {}
  for (const key in labels) if (own[key] !== labels[key]) return false
  return true
}

/** An empty selector matches everything, an absent one nothing (LabelSelectorAsSelector). */
export function matchesSelector(object: KubeObject, selector: LabelSelector | undefined): boolean {
  if (selector === undefined) return false
  if (!hasLabels(object, selector.matchLabels ?? {})) return false
  const labels = object.metadata.labels ?? {}
  return (selector.matchExpressions ?? []).every((requirement) => meets(labels, requirement))
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return (
    Object.keys(selector?.matchLabels ?? {}).length === 0 &&
    (selector?.matchExpressions ?? []).length === 0
  )
}

function meets(labels: Record<string, string>, { key, operator, values = [] }: Requirement) {
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      // Validation lets no other operator in; matching nothing is the harmless reading.
      return false
  }
}
