import { expect, test } from 'bun:test'
import { aNode, aPod, asking, testPlugins } from '../../test/support/scheduling.ts'
import { Cluster } from './cluster.ts'
import { explainPod } from './explain.ts'

function explain(pod: ReturnType<typeof aPod>, ...nodes: ReturnType<typeof aNode>[]) {
  const cluster = new Cluster()
  for (const node of nodes) cluster.setNode(node)
  return explainPod(pod, cluster, testPlugins())
}

const named = (spec: Parameters<typeof aPod>[0]) => aPod(spec, {}, { name: 'p', namespace: 'x' })

test('shows what each plug-in scored, the best node first', () => {
  const tainted = aNode('a', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } })
  const { summary, refusals, scores } = explain(named({}), tainted, aNode('b'))
  expect(summary).toBe('x/p goes to b')
  expect(refusals).toEqual([])
  expect(scores).toEqual([
    ['NODE', 'TOTAL', 'TaintToleration', 'NodeResourcesFit', 'ImageLocality'],
    ['b', '395', '300', '95', '0'],
    ['a', '95', '0', '95', '0'],
  ])
})

test('shows who refused each node, and why', () => {
  const cordoned = aNode('a', { spec: { unschedulable: true } })
  const { summary, refusals, scores } = explain(named(asking('4')), aNode('b'), cordoned)
  expect(summary).toBe(
    'x/p waits: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. ' +
      'no new claims to deallocate, ' +
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  )
  expect(refusals).toEqual([
    ['a', 'NodeUnschedulable', 'node(s) were unschedulable'],
    ['b', 'NodeResourcesFit', 'Insufficient cpu'],
  ])
  expect(scores).toEqual([])
})

test('says what would be done to make room', () => {
  const cluster = new Cluster()
  cluster.setNode(aNode('a'))
  const low = aPod({ ...asking('2'), priority: 1 }, {}, { name: 'low' })
  cluster.setPod(low, 'a')
  const { summary } = explainPod(named({ ...asking('1'), priority: 2 }), cluster, testPlugins())
  expect(summary).toBe(
    'x/p waits: 0/1 nodes are available: 1 Insufficient cpu. ' +
      'To make room: preempt default/low on a.',
  )
})

test('tells one node that fits from several that are equal, and a pod that is placed', () => {
  expect(explain(named({}), aNode('a')).summary).toBe('x/p goes to a, the only node that fits')
  expect(explain(named({}), aNode('b'), aNode('a')).summary).toBe(
    'x/p goes to one of a, b, by chance',
  )
  expect(explain(named({ nodeName: 'b' }), aNode('a')).summary).toBe(
    'x/p is on b; asked anew, it would go to a, the only node that fits',
  )
  expect(explain(named({ schedulingGates: [{ name: 'g' }] }), aNode('a')).summary).toBe(
    'x/p is held back: waiting for scheduling gates: [g]',
  )
})
