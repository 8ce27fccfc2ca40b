// The terms of pod affinity and anti-affinity, and which pods a term is about. Pure.
//
// The API server has merged `matchLabelKeys` and `mismatchLabelKeys` into the selectors.

import type {
  Pod,
  PodAffinityTerm,
  WeightedPodAffinityTerm,
} from '../api/schema/generated/types.ts'
import { matchesSelector } from '../kit/labels.ts'

/** The labels of a namespace, for terms with a namespaceSelector. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>>

export function wantedTerms({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
}

export function unwantedTerms({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
}

export function likedTerms({ spec }: Pod): readonly WeightedPodAffinityTerm[] {
  return spec?.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
}

export function dislikedTerms({ spec }: Pod): readonly WeightedPodAffinityTerm[] {
  return spec?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
}

export function isAffine(pod: Pod): boolean {
  const all = [wantedTerms, unwantedTerms, likedTerms, dislikedTerms]
  return all.some((termsOf) => termsOf(pod).length > 0)
}

/** Whether `term`, which `owner` has, is about `pod`. */
export function isAbout(
  term: PodAffinityTerm,
  owner: Pod,
  pod: Pod,
  namespaceLabels: NamespaceLabels,
): boolean {
  return (
    isInNamespaces(term, owner, pod, namespaceLabels) && matchesSelector(pod, term.labelSelector)
  )
}

/** No term is about every pod. */
export function areAllAbout(
  terms: readonly PodAffinityTerm[],
  owner: Pod,
  pod: Pod,
  namespaceLabels: NamespaceLabels,
): boolean {
  return terms.length > 0 && terms.every((term) => isAbout(term, owner, pod, namespaceLabels))
}

function isInNamespaces(
  { namespaces = [], namespaceSelector }: PodAffinityTerm,
  owner: Pod,
  pod: Pod,
  namespaceLabels: NamespaceLabels,
): boolean {
  const namespace = pod.metadata.namespace ?? ''
  if (namespaces.length === 0 && namespaceSelector === undefined) {
    return namespace === owner.metadata.namespace
  }
  if (namespaces.includes(namespace)) return true
  if (namespaceSelector === undefined) return false
  return matchesSelector(
    { metadata: { labels: { ...namespaceLabels(namespace) } } },
    namespaceSelector,
  )
}
