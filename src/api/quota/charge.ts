// What a quota is charged for the objects of a kind.

import { quantityOf } from '../quantity.ts'
import { qualifiedResource } from '../resource.ts'
import type { Amounts } from './amounts.ts'
import { claimCharge } from './claim-charge.ts'
import type { Charge } from './contract.ts'
import { podCharge } from './pod-charge.ts'
import { serviceCharge } from './service-charge.ts'

type Kind = { readonly group: string; readonly plural: string }

/** `count/deployments.apps`, `count/pods`. */
export function countName(row: Kind): string {
  return `count/${qualifiedResource(row)}`
}

/** Names from the time before everything could be counted. */
const ALIASES = new Set([...['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']])
const OWN: ReadonlyMap<string, Charge<never>> = new Map<string, Charge<never>>([
  ['pods', podCharge],
  ['services', serviceCharge],
  ['persistentvolumeclaims', claimCharge],
])
/** Never stored, or not worth counting: upstream leaves them out too. */
const IGNORED = new Set([
  ...['bindings', 'componentstatuses', 'tokenreviews.authentication.k8s.io'],
  ...['selfsubjectreviews.authentication.k8s.io', 'subjectaccessreviews.authorization.k8s.io'],
  ...['selfsubjectaccessreviews.authorization.k8s.io'],
  ...['localsubjectaccessreviews.authorization.k8s.io'],
  ...['selfsubjectrulesreviews.authorization.k8s.io', 'events', 'events.events.k8s.io'],
])

/** Undefined for kinds that cost nothing. */
export function chargeOf(row: Kind): Charge | undefined {
  const name = qualifiedResource(row)
  if (IGNORED.has(name)) return undefined
  return (OWN.get(name) as Charge | undefined) ?? countCharge(row)
}

/** Whether a charge of its own looks at more of the object than that it is there. */
export function looksInside(row: Kind): boolean {
  return OWN.has(qualifiedResource(row))
}

function countCharge(row: Kind): Charge {
  const names = [
    countName(row),
    ...(row.group === '' && ALIASES.has(row.plural) ? [row.plural] : []),
  ]
  const one: Amounts = new Map(names.map((name) => [name, quantityOf(1)]))
  return {
    countsFor: (name) => one.has(name),
    isAsked: ({ operation, subresource }) => operation === 'CREATE' && subresource === '',
    usage: () => one,
    isInScope: () => false,
  }
}
