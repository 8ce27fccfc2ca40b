// Every recorded choice of the real scheduler is one that ours might have made, and every recorded
// word the same.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { services } from '../../../src/api/kinds/core/service/row.ts'
import { podDisruptionBudgets } from '../../../src/api/kinds/policy/poddisruptionbudget/row.ts'
import type { AnyRow } from '../../../src/api/resource.ts'
import type { Pod } from '../../../src/api/schema/generated/types.ts'
import { Cluster } from '../../../src/scheduler/cluster.ts'
import type { Plugin } from '../../../src/scheduler/framework.ts'
import { placePod } from '../../../src/scheduler/place.ts'
import { bestCandidates, findCandidates } from '../../../src/scheduler/plugins/victims.ts'
import { testPlugins } from '../../support/scheduling.ts'
import { OUTCOMES, type Outcome } from './outcomes.ts'
import { PRIORITIES, scenarioOf } from './scenarios.ts'

/** As admission does. */
function withPriority(pod: Pod): Pod {
  const name = pod.spec.priorityClassName as keyof typeof PRIORITIES
  return { ...pod, spec: { ...pod.spec, priority: PRIORITIES[name] } }
}

/** All that the scheduler may choose between, where the real one threw its dice. */
function choicesOf(seed: number): Outcome[] {
  const { nodes, placed, pod, services: exposed, budgets } = scenarioOf(seed)
  const cluster = new Cluster()
  for (const node of nodes) cluster.setNode(node)
  for (const other of placed) cluster.setPod(withPriority(other))
  const preempting: { nominated: string; victims: string[] }[] = []
  const looking: Plugin = {
    name: 'Looking',
    postFilter(attempt) {
      const { candidates } = findCandidates(attempt, budgets)
      for (const { nodeName, victims } of bestCandidates(candidates)) {
        const names = victims.map(({ metadata }) => metadata.name!).sort()
        preempting.push({ nominated: nodeName, victims: names })
      }
      return { ok: false, message: '' }
    },
  }
  const plugins = testPlugins([services as AnyRow, exposed], [podDisruptionBudgets as AnyRow, budgets])
  const placement = placePod(withPriority(pod), cluster, { plugins, dice: () => 0 })
  if (!placement.ok) {
    const { message, wayOut } = placement
    if (wayOut === undefined) return [{ message }]
    placePod(withPriority(pod), cluster, { plugins: [...plugins, looking].toReversed(), dice: () => 0 })
    return preempting.map((one) => ({ message, ...one }))
  }
  const { scores } = placement
  if (scores === undefined) return [{ nodeName: placement.nodeName }]
  const best = Math.max(...scores.totals)
  const winners = scores.states.filter((_, i) => scores.totals[i] === best)
  return winners.map(({ node }) => ({ nodeName: node.metadata.name! }))
}

const recorded: Record<string, Outcome> = JSON.parse(readFileSync(OUTCOMES, 'utf8'))

test('what the real scheduler did is what ours may do', () => {
  const differences = Object.entries(recorded).flatMap(([seed, outcome]) => {
    const choices = choicesOf(Number(seed))
    return choices.some((choice) => Bun.deepEquals(choice, outcome)) ? [] : [{ seed, outcome, choices }]
  })
  expect(differences).toEqual([])
})

test('the recordings are about everything', () => {
  const outcomes = Object.values(recorded)
  const bound = outcomes.filter((outcome) => 'nodeName' in outcome).length
  const nominated = outcomes.filter((outcome) => 'nominated' in outcome).length
  expect(bound).toBeGreaterThan(100)
  expect(nominated).toBeGreaterThan(20)
  expect(outcomes.length - bound - nominated).toBeGreaterThan(20)
  // Where there is a choice, ours is mostly narrowed down to one node: else nothing is compared.
  const chosen = Object.entries(recorded).filter(([, outcome]) => 'nodeName' in outcome)
  const single = chosen.filter(([seed]) => choicesOf(Number(seed)).length === 1).length
  expect(single / chosen.length).toBeGreaterThan(0.8)
})
