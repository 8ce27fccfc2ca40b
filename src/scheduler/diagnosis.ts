// Why a pod fits nowhere, as kube-scheduler 1.36 puts it. Pure.

import type { Refusal, Refused } from './framework.ts'

export type Diagnosis = {
  /** Of each node that was asked, by name. */
  readonly refusals: ReadonlyMap<string, Refused>
  /** Of all others. */
  readonly absent: Refusal | undefined
  /** Set when nobody was asked, because a plug-in refuses all nodes at once. */
  readonly preFilter?: string
  /** The plug-ins that have to change their mind. */
  readonly rejectors: ReadonlySet<string>
}

/** `0/3 nodes are available: 1 a, 2 b. what could have been done` */
export function describeRefusals(
  { refusals, absent, preFilter }: Omit<Diagnosis, 'rejectors'>,
  nodeCount: number,
  ending = '',
): string {
  const counts = new Map<string, number>()
  const count = (refusal: Refusal | undefined, by: number) => {
    for (const reason of refusal?.reasons ?? []) counts.set(reason, (counts.get(reason) ?? 0) + by)
  }
  for (const refusal of refusals.values()) count(refusal, 1)
  if (refusals.size < nodeCount) count(absent, nodeCount - refusals.size)
  const sorted = [...counts].map(([reason, number]) => `${number} ${reason}`).sort()
  const why = preFilter ?? sorted.join(', ')
  const parts = [why === '' ? '' : ` ${why}.`, ending === '' ? '' : ` ${ending}`]
  return `0/${nodeCount} nodes are available:${parts.join('')}`
}
