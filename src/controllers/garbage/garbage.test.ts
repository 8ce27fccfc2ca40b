import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { everyCase } from '../../../test/support/every-case.ts'
import { builtInRows } from '../../api/kinds/all.ts'
import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { ConfigMap, OwnerReference } from '../../api/schema/generated/types.ts'
import { GarbageCollector } from './garbage-collector.ts'
import { FOREGROUND, isForeground, ORPHAN, planGarbage } from './garbage-plan.ts'
import { collectable } from './graph.ts'

const kinds = { rows: () => builtInRows, onChange: () => {} }

async function aCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({
    components: (deps) => [
      new GarbageCollector({ ...deps, kinds, client: deps.clientAs('generic-garbage-collector') }),
    ],
  })
  for (const name of ['default', 'other']) {
    if ((await cluster.get(namespaces, name)) !== undefined) continue
    await cluster.create(namespaces, { metadata: { name }, spec: {} })
  }
  return cluster
}

function ownedBy(...owners: ConfigMap[]): { ownerReferences: OwnerReference[] } {
  const ownerReferences = owners.map(({ metadata: { name = '', uid = '' } }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name,
    uid,
    blockOwnerDeletion: true,
  }))
  return { ownerReferences }
}

function aMap(cluster: TestCluster, name: string, more: object = {}): Promise<ConfigMap> {
  return cluster.create(configMaps, { metadata: { namespace: 'default', name, ...more } })
}

const namesOf = async (cluster: TestCluster) =>
  (await cluster.list(configMaps, 'default'))
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== 'kube-root-ca.crt')

describe('the garbage collector', () => {
  test('deletes what has lost its only owner, and what that owned', async () => {
    await using cluster = await aCluster()
    const owner = await aMap(cluster, 'owner')
    const child = await aMap(cluster, 'child', ownedBy(owner))
    await aMap(cluster, 'grandchild', ownedBy(child))
    await aMap(cluster, 'stranger')
    await cluster.remove(configMaps, 'owner')
    expect(await namesOf(cluster)).toEqual(['stranger'])
    expect(cluster.warnings).toEqual([])
  })

  test('keeps what has another owner, and drops the reference to the lost one', async () => {
    await using cluster = await aCluster()
    const lost = await aMap(cluster, 'lost')
    const kept = await aMap(cluster, 'kept')
    await aMap(cluster, 'child', ownedBy(lost, kept))
    await cluster.remove(configMaps, 'lost')
    const child = await cluster.get(configMaps, 'child')
    expect(child!.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['kept'])
  })

  test('orphans when asked to', async () => {
    await using cluster = await aCluster()
    const owner = await aMap(cluster, 'owner')
    await aMap(cluster, 'child', ownedBy(owner))
    await cluster.remove(configMaps, 'owner', { propagationPolicy: 'Orphan' })
    expect(await namesOf(cluster)).toEqual(['child'])
    const child = await cluster.get(configMaps, 'child')
    expect(child!.metadata.ownerReferences ?? []).toEqual([])
  })

  test('deletes an owner after its dependents when asked to', async () => {
    await using cluster = await aCluster()
    const owner = await aMap(cluster, 'owner')
    await aMap(cluster, 'held', { ...ownedBy(owner), finalizers: ['example.com/hold'] })
    await cluster.remove(configMaps, 'owner', { propagationPolicy: 'Foreground' })
    expect(await namesOf(cluster)).toEqual(['held', 'owner'])
    await cluster.change(configMaps, 'held', ({ metadata }) => (metadata.finalizers = []))
    expect(await namesOf(cluster)).toEqual([])
  })

  test('ends a circle of owners that wait for each other', async () => {
    await using cluster = await aCluster()
    const a = await aMap(cluster, 'a')
    const b = await aMap(cluster, 'b', ownedBy(a))
    await cluster.change(configMaps, 'a', ({ metadata }) => Object.assign(metadata, ownedBy(b)))
    await cluster.remove(configMaps, 'a', { propagationPolicy: 'Foreground' })
    await cluster.advance(2000)
    expect(await namesOf(cluster)).toEqual([])
  })

  test('deletes what names an owner that never was', async () => {
    await using cluster = await aCluster()
    const ghost = { metadata: { name: 'ghost', uid: '00000000-0000-4000-8000-000000000000' } }
    await aMap(cluster, 'child', ownedBy(ghost))
    expect(await namesOf(cluster)).toEqual([])
  })

  test('takes an owner in another namespace for none, and says so', async () => {
    await using cluster = await aCluster()
    const metadata = { namespace: 'other', name: 'owner' }
    const owner = await cluster.create(configMaps, { metadata })
    await aMap(cluster, 'child', ownedBy(owner))
    expect(await namesOf(cluster)).toEqual([])
    const [event] = await cluster.list(events)
    expect(event).toMatchObject({ reason: 'OwnerRefInvalidNamespace', type: 'Warning' })
    expect(event!.message).toBe(
      'ownerRef [v1/ConfigMap, namespace: default, name: owner, ' +
        `uid: ${owner.metadata.uid}] does not exist in namespace "default"`,
    )
  })
})

describe('planGarbage', () => {
  test('keeps its promises in every case', () => {
    const cases = everyCase((choose) => {
      const isGoing = choose([false, true])
      const finalizers = choose([[], [ORPHAN], [FOREGROUND], ['example.com/other']])
      const object = anObject('x', isGoing, finalizers)
      const states = (['a', 'b'] as const).flatMap((name) => {
        const state = choose(['none', 'solid', 'waiting', 'dangling'] as const)
        return state === 'none' ? [] : [{ name, state }]
      })
      const owners = states.map(({ name, state }) => ({
        reference: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name,
          uid: name,
          blockOwnerDeletion: true,
        },
        state,
      }))
      const dependents = choose(['none', 'blocking', 'free', 'foreground'] as const)
      const step = planGarbage({ object, owners, dependents: dependentsOf(dependents) })

      const has = (state: string) => states.some((owner) => owner.state === state)
      if (step.do === 'delete') {
        expect(isGoing).toBe(false)
        expect(has('solid')).toBe(false)
        expect(owners).not.toEqual([])
      }
      if (isGoing) {
        expect(['nothing', 'orphan', 'wait-for', 'remove-finalizer']).toContain(step.do)
        if (finalizers.length === 0 || finalizers[0] === 'example.com/other') {
          expect(step.do).toBe('nothing')
        }
        if (step.do === 'remove-finalizer' && step.finalizer === FOREGROUND) {
          expect(['none', 'free']).toContain(dependents)
        }
      } else if (has('solid') && (has('waiting') || has('dangling'))) {
        expect(step.do).toBe('forget-owners')
      } else if (!has('solid') && owners.length > 0) {
        expect(['delete', 'unblock-owners']).toContain(step.do)
      } else expect(step.do).toBe('nothing')
    })
    expect(cases).toBe(2 * 4 * 16 * 4)
  })

  test('sees through every kind that can go, once', () => {
    const prefixes = collectable(builtInRows).map(({ storagePrefix }) => storagePrefix)
    expect(new Set(prefixes).size).toBe(prefixes.length)
    expect(prefixes).not.toContain('events')
    expect(prefixes).toContain('secrets')
  })
})

function anObject(uid: string, isGoing: boolean, finalizers: string[]): KubeObject {
  const going = isGoing ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}
  return { metadata: { name: uid, uid, finalizers, ...going } }
}

function dependentsOf(kind: 'none' | 'blocking' | 'free' | 'foreground') {
  if (kind === 'none') return []
  const object = anObject('d', kind === 'foreground', kind === 'foreground' ? [FOREGROUND] : [])
  const blockOwnerDeletion = kind !== 'free'
  object.metadata.ownerReferences = [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x', blockOwnerDeletion },
  ]
  expect(isForeground(object)).toBe(kind === 'foreground')
  return [{ key: 'd', object }]
}
