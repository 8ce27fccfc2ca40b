// Wanted and present objects in, writes out. Pure.

import type { KubeObject } from '../../api/object.ts'
import type { AggregationRule, PolicyRule, Subject } from '../../api/schema/generated/types.ts'
import { uncovered } from '../authz/rules.ts'
import { AUTOUPDATE } from './objects.ts'

type RbacObject = KubeObject & {
  rules?: PolicyRule[]
  subjects?: Subject[]
  aggregationRule?: AggregationRule
}

/** What to store in the place of `present`; undefined when it is fine as it is. */
export function planRepair(wanted: RbacObject, present: RbacObject): RbacObject | undefined {
  if (present.metadata.annotations?.[AUTOUPDATE] === 'false') return undefined
  const repaired: RbacObject = {
    ...present,
    metadata: {
      ...present.metadata,
      labels: { ...present.metadata.labels, ...wanted.metadata.labels },
      annotations: { ...present.metadata.annotations, ...wanted.metadata.annotations },
    },
  }
  if (wanted.aggregationRule !== undefined) repaired.aggregationRule = wanted.aggregationRule
  else if (wanted.rules !== undefined) {
    const lost = uncovered(present.rules ?? [], wanted.rules)
    if (lost.length > 0) repaired.rules = [...(present.rules ?? []), ...lost]
  }
  if (wanted.subjects !== undefined) {
    const has = (subject: Subject) =>
      present.subjects?.some((other) => Bun.deepEquals(other, subject)) ?? false
    const lost = wanted.subjects.filter((subject) => !has(subject))
    if (lost.length > 0) repaired.subjects = [...(present.subjects ?? []), ...lost]
  }
  return Bun.deepEquals(repaired, present) ? undefined : repaired
}
