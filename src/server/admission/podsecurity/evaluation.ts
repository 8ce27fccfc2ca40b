// What is told of every judgement, for those who count them.

import type { Attributes } from '../chain.ts'
import type { LevelVersion, Mode } from './policy.ts'

export type EvaluationOf = {
  readonly decision: 'allow' | 'deny'
  readonly level: string
  readonly version: string
  readonly mode: Mode
}

/** `request`: operation, resource and sub-resource, as upstream names them here. */
export interface PolicyObserver {
  evaluated(evaluation: EvaluationOf, request: readonly string[]): void
  exempted(request: readonly string[]): void
}

export function evaluationOf(
  decision: EvaluationOf['decision'],
  mode: Mode,
  { level, version }: LevelVersion,
): EvaluationOf {
  return { decision, level, version: version === 'latest' ? version : `v1.${version}`, mode }
}

/** All that is no pod makes pods. */
export function requestOf({ operation, request, subresource }: Attributes): readonly string[] {
  const isPod = request.row.group === '' && request.row.plural === 'pods'
  return [operation.toLowerCase(), isPod ? 'pod' : 'controller', subresource]
}
