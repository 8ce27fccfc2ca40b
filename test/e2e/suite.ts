// What a suite is: the machines it needs, and its tests. Suites that need the same machines share one
// cluster, in any order; what a suite makes it takes away, and what it relies on it sees to itself.

import { describe } from 'bun:test'
import { SeededRandom } from '../../src/lib/random.ts'
import type { Cluster } from './cluster.ts'

export type Machines = {
  /** There is no second server yet. */
  readonly servers: 1
  /** They take no connection from outside, but for what Services and pods use. */
  readonly agents: number
  readonly options?: { readonly server?: readonly string[]; readonly agent?: readonly string[] }
}

export type Suite = {
  readonly name: string
  readonly machines: Machines
  /** Says what it does with each kubectl there is, rather than with the usual one. */
  readonly isForEachKubectl?: boolean
  readonly tests: (get: () => Cluster, kubectl: { program: string; version: string }) => void
}

/** Suites by the machines they need. */
export function byMachines(suites: readonly Suite[]): [Machines, Suite[]][] {
  const groups = new Map<string, [Machines, Suite[]]>()
  for (const suite of suites) {
    const key = JSON.stringify(suite.machines)
    const group = groups.get(key) ?? [suite.machines, []]
    group[1].push(suite)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** `1 server, 2 agents, --disable-agent`. */
export function describeMachines({ servers, agents, options }: Machines): string {
  const words = [`${servers} server`, `${agents} agent${agents === 1 ? '' : 's'}`]
  return [...words, ...(options?.server ?? []), ...(options?.agent ?? [])].join(', ')
}

/** The same seed gives the same order. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const rest = [...items]
  const random = new SeededRandom(seed)
  return items.map(() => rest.splice(Math.floor(random.next() * rest.length), 1)[0]!)
}

/** Declares the tests of a suite, with each kubectl if it is meant so. */
export function declare(
  { name, isForEachKubectl = false, tests }: Suite,
  get: () => Cluster,
  programs: readonly { program: string; version: string }[],
): void {
  for (const kubectl of isForEachKubectl ? programs : programs.slice(0, 1)) {
    describe(isForEachKubectl ? `${name}, kubectl ${kubectl.version}` : name, () =>
      tests(get, kubectl),
    )
  }
}
