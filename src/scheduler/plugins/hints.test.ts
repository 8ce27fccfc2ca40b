// The promise of all hints together: a change after which a refused pod fits is one that a plug-in
// which refused it lets through. One that nobody lets through would leave the pod waiting.

import { expect, test } from 'bun:test'
import { PRIORITIES, scenarioOf } from '../../../test/compare/scheduling/scenarios.ts'
import { testPlugins } from '../../../test/support/scheduling.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { Node, Pod } from '../../api/schema/generated/types.ts'
import type { Change } from '../../kit/informer.ts'
import { type Random, SeededRandom } from '../../lib/random.ts'
import { isNewsOfNode, isNewsOfPod } from '../changes.ts'
import { Cluster } from '../cluster.ts'
import { placePod } from '../place.ts'

type World = { nodes: Node[]; placed: Pod[]; pod: Pod }
type Step = { row: AnyRow; change: Change<KubeObject>; world: World }

const PLUGINS = testPlugins()

function worldOf(seed: number): World {
  const { nodes, placed, pod } = scenarioOf(seed)
  const withPriority = (one: Pod): Pod => {
    const name = one.spec.priorityClassName as keyof typeof PRIORITIES
    return { ...one, spec: { ...one.spec, priority: PRIORITIES[name] } }
  }
  return { nodes: [...nodes], placed: placed.map(withPriority), pod: withPriority(pod) }
}

function place(world: World) {
  const cluster = new Cluster()
  for (const node of world.nodes) cluster.setNode(node)
  for (const other of world.placed) cluster.setPod(other)
  return placePod(world.pod, cluster, { plugins: PLUGINS, dice: () => 0 })
}

/** Something that happens to the world of `seed`, with parts of another. */
function stepOf(world: World, other: World, random: Random): Step {
  const pick = <T>(all: readonly T[]) => all[Math.floor(random.next() * all.length)]
  const [node, pod] = [pick(world.nodes)!, pick(world.placed)]
  const what = Math.floor(random.next() * 9)
  const ofNode = (change: Change<Node>, nodes: Node[]): Step => ({
    row: NODES,
    change,
    world: { ...world, nodes },
  })
  const changed = (to: Node) =>
    ofNode(
      { type: 'updated', old: node, object: to },
      world.nodes.map((one) => (one === node ? to : one)),
    )
  const strange = pick(other.nodes)!
  if (what === 0) {
    const object = { ...strange, metadata: { ...strange.metadata, name: 'new' } }
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/hostname': 'new' }
    return ofNode({ type: 'added', object }, [...world.nodes, object])
  }
  if (what === 1) {
    return ofNode(
      { type: 'deleted', object: node },
      world.nodes.filter((one) => one !== node),
    )
  }
  if (what === 2) {
    const labels = { ...strange.metadata.labels, 'kubernetes.io/hostname': node.metadata.name! }
    return changed({ ...node, metadata: { ...node.metadata, labels } })
  }
  if (what === 3) return changed({ ...node, spec: strange.spec })
  if (what === 4) return changed({ ...node, status: strange.status! })
  if (what === 5 || pod === undefined) {
    const it = { ...world.pod, metadata: { ...world.pod.metadata, generation: 2 } }
    const mine = pick(other.placed)
    it.metadata.labels = mine?.metadata.labels ?? {}
    it.spec = { ...it.spec, tolerations: mine?.spec.tolerations ?? [] }
    return {
      row: PODS,
      change: { type: 'updated', old: world.pod, object: it },
      world: { ...world, pod: it },
    }
  }
  const placed = world.placed.filter((one) => one !== pod)
  if (what === 6)
    return { row: PODS, change: { type: 'deleted', object: pod }, world: { ...world, placed } }
  const strangePod = pick(other.placed)
  if (what === 7 && strangePod !== undefined) {
    const spec = { ...strangePod.spec, nodeName: node.metadata.name! }
    const object = {
      ...strangePod,
      metadata: { ...strangePod.metadata, uid: 'new', name: 'new' },
      spec,
    }
    return {
      row: PODS,
      change: { type: 'added', object },
      world: { ...world, placed: [...world.placed, object] },
    }
  }
  const object: Pod = { ...pod, metadata: { ...pod.metadata, generation: 2 } }
  if (random.next() < 0.5) object.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
  else object.metadata.labels = strangePod?.metadata.labels ?? {}
  return {
    row: PODS,
    change: { type: 'updated', old: pod, object },
    world: { ...world, placed: [...placed, object] },
  }
}

const [NODES, PODS] = [nodes as AnyRow, pods as AnyRow]

function isNews({ row, change }: Step): boolean {
  if (change.type !== 'updated') return true
  if (row === NODES) return isNewsOfNode(change.old as Node, change.object as Node)
  return isNewsOfPod(change.old as Pod, change.object as Pod)
}

test('what helps a pod is never kept from it', () => {
  let helped = 0
  const missed: unknown[] = []
  for (let seed = 1; seed <= 700; seed++) {
    const world = worldOf(seed)
    const before = place(world)
    if (before.ok) continue
    const random = new SeededRandom(seed)
    for (let i = 0; i < 6; i++) {
      const step = stepOf(world, worldOf(seed + 10_000 + i), random)
      if (!place(step.world).ok) continue
      helped++
      const { rejectors } = before.diagnosis
      const isLet = PLUGINS.some(({ name, hints = [] }) => {
        if (!rejectors.has(name)) return false
        // As the queue asks: with the newest version of the pod that waits.
        return hints.some(
          ({ row, mayHelp }) => row === step.row && mayHelp(step.world.pod, step.change),
        )
      })
      if (!isNews(step) || !(isLet || rejectors.size === 0)) {
        missed.push({
          seed,
          i,
          rejectors: [...rejectors],
          type: step.change.type,
          of: step.row.plural,
        })
      }
    }
  }
  expect(missed).toEqual([])
  expect(helped).toBeGreaterThan(50)
})

test('most of what happens does not wake a pod that it does not help', () => {
  let [woken, all] = [0, 0]
  for (let seed = 1; seed <= 500; seed++) {
    const world = worldOf(seed)
    const before = place(world)
    if (before.ok) continue
    const step = stepOf(world, worldOf(seed + 10_000), new SeededRandom(seed))
    if (place(step.world).ok) continue
    all++
    const isLet = PLUGINS.some(({ name, hints = [] }) => {
      if (!before.diagnosis.rejectors.has(name)) return false
      return hints.some(
        ({ row, mayHelp }) => row === step.row && mayHelp(step.world.pod, step.change),
      )
    })
    if (isLet) woken++
  }
  expect(all).toBeGreaterThan(50)
  expect(woken / all).toBeLessThan(0.5)
})
