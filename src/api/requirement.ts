// Requirements as objects hold them: `{ key, operator: In, values }` of label and node selectors.
// Pure.

import { own } from '../lib/own.ts'
import type { Node, NodeSelectorTerm, PodSpec } from './schema/generated/types.ts'

type Requirement = { operator: string; values?: readonly string[] | undefined }

/** Whether the value that a key has, if any, is one that the requirement lets pass. */
export function meets({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return compare(value, values[0], (left, right) => left > right)
    case 'Lt':
      return compare(value, values[0], (left, right) => left < right)
    default:
      // Validation lets no other operator in; matching nothing is the harmless reading.
      return false
  }
}

/** A term without any requirement matches nothing. */
export function matchesNodeTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length + matchFields.length === 0) return false
  const labels = node.metadata.labels ?? {}
  const fields: Record<string, string | undefined> = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((requirement) => meets(requirement, own(labels, requirement.key))) &&
    matchFields.every((requirement) => meets(requirement, own(fields, requirement.key)))
  )
}

/** Whether a pod may be on the node, for its node selector and its required node affinity. */
export function matchesNodeSelection({ nodeSelector, affinity }: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  const terms =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return (
    Object.entries(nodeSelector ?? {}).every(([key, value]) => own(labels, key) === value) &&
    (terms === undefined || terms.some((term) => matchesNodeTerm(term, node)))
  )
}

/** False unless both are integers of 64 bits. */
export function compare(
  left: string | undefined,
  right: string | undefined,
  holds: (left: bigint, right: bigint) => boolean,
): boolean {
  const [a, b] = [integerOf(left), integerOf(right)]
  return a !== undefined && b !== undefined && holds(a, b)
}

/** Undefined for what is no integer of 64 bits. */
export function integerOf(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[-+]?[0-9]+$/.test(text)) return undefined
  const value = BigInt(text.replace('+', ''))
  return BigInt.asIntN(64, value) === value ? value : undefined
}
