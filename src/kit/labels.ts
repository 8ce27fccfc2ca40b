// Label selectors of objects already in memory. Text selectors of requests are the server's matter.

import type { KubeObject } from '../api/object.ts'
import { meets } from '../api/requirement.ts'
import type { LabelSelector } from '../api/schema/generated/types.ts'
import { own } from '../lib/own.ts'

/** True when `object` carries all of `labels`. */
export function hasLabels(object: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  const there = object.metadata.labels
  for (const key in labels) if (own(there, key) !== labels[key]) return false
  return true
}

/** An empty selector matches everything, an absent one nothing (LabelSelectorAsSelector). */
export function matchesSelector(object: KubeObject, selector: LabelSelector | undefined): boolean {
  if (selector === undefined) return false
  if (!hasLabels(object, selector.matchLabels ?? {})) return false
  const labels = object.metadata.labels ?? {}
  return (selector.matchExpressions ?? []).every((requirement) =>
    meets(requirement, own(labels, requirement.key)),
  )
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return (
    Object.keys(selector?.matchLabels ?? {}).length === 0 &&
    (selector?.matchExpressions ?? []).length === 0
  )
}
