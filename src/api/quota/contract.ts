// What a kind has to say of its objects, so that quotas can be charged for them.

import type { KubeObject } from '../object.ts'
import type { Amounts } from './amounts.ts'

export type ScopeRequirement = {
  scopeName: string
  operator: string
  values?: readonly string[]
}

/** A write, as far as it decides whether anything is charged. */
export type ChargedWrite<O> = {
  operation: string
  subresource: string
  object: O
  old: O | undefined
}

export type Charge<O extends KubeObject = KubeObject> = {
  /** Whether objects of the kind count for the resource of this name. */
  countsFor(name: string): boolean
  /** Whether the write may change what the object costs. */
  isAsked(write: ChargedWrite<O>): boolean
  /** What the object costs as it is at `nowMs`. */
  usage(object: O, nowMs: number): Amounts
  isInScope(object: O, requirement: ScopeRequirement): boolean
  /** What the object fails to say though one of `names` is limited; undefined when all is well. */
  missing?(object: O, names: readonly string[]): string | undefined
}
