import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../test/support/cluster.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { ConfigMap, Secret } from '../api/schema/generated/types.ts'
import { conflict } from '../api/status.ts'
import {
  type AnyController,
  type Controller,
  defineController,
  TerminalError,
} from './controller.ts'

type Reconcile = Controller<ConfigMap>['reconcile']

async function aCluster(reconcile: Reconcile, more: Partial<Controller<ConfigMap>> = {}) {
  const controller: AnyController = defineController<ConfigMap>({
    name: 'test-controller',
    reconciles: configMaps,
    only: [{ row: configMaps, selection: { labelSelector: 'mine' } }],
    ...more,
    reconcile,
  })
  return TestCluster.start({ controllers: [controller], asAdmin: true })
}

const aMap = (name: string): ConfigMap => ({
  metadata: { name, namespace: 'default', labels: { mine: '' } },
})

const ownedBy = (map: ConfigMap) => [
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    controller: true,
    name: map.metadata.name!,
    uid: map.metadata.uid!,
  },
]

describe('the loop of controllers', () => {
  test('makes a pass when an object, or what it owns, changes', async () => {
    let passes = 0
    const owns = [secrets]
    await using cluster = await aCluster(async () => void passes++, { owns })
    const map = await cluster.create(configMaps, aMap('a'))
    expect(passes).toBe(1)
    const metadata = { name: 's', namespace: 'default', ownerReferences: ownedBy(map) }
    await cluster.create(secrets, { metadata })
    expect(passes).toBe(2)
    await cluster.change(secrets, 's', (draft) => (draft.metadata.ownerReferences = []))
    expect(passes).toBe(3)
    await cluster.change(secrets, 's', (draft) => (draft.type = 'Opaque'))
    expect(passes).toBe(3)
  })

  test('tries again later each time, and goes on with the others meanwhile', async () => {
    const passes: string[] = []
    await using cluster = await aCluster(async ({ metadata }) => {
      passes.push(metadata.name!)
      if (metadata.name === 'bad') throw new Error('always')
    })
    await cluster.create(configMaps, aMap('bad'))
    await cluster.clock.advance(5 + 10 + 20)
    await cluster.settle()
    expect(passes).toEqual(['bad', 'bad', 'bad', 'bad'])
    await cluster.create(configMaps, aMap('good'))
    expect(passes.at(-1)).toBe('good')
    expect(cluster.warnings[0]).toContain('pass failed')
    expect(cluster.warnings[0]).toContain('key=default/bad')
  })

  test('survives a fault in the program, and tells where it is', async () => {
    await using cluster = await aCluster(async () => {
      const nothing = undefined as unknown as { field: string }
      nothing.field
    })
    await cluster.create(configMaps, aMap('a'))
    expect(cluster.warnings[0]).toContain('stack=')
  })

  test('does not complain when somebody else wrote first', async () => {
    let passes = 0
    await using cluster = await aCluster(async () => {
      if (passes++ === 0) throw conflict(configMaps, 'a')
    })
    await cluster.create(configMaps, aMap('a'))
    await cluster.clock.advance(10)
    await cluster.settle()
    expect(passes).toBe(2)
    expect(cluster.warnings).toEqual([])
  })

  test('gives up on a TerminalError until something changes', async () => {
    let passes = 0
    await using cluster = await aCluster(async () => {
      passes++
      throw new TerminalError('hopeless')
    })
    await cluster.create(configMaps, aMap('a'))
    await cluster.advance(10_000)
    expect(passes).toBe(1)
    await cluster.change(configMaps, 'a', (draft) => (draft.data = { x: 'y' }))
    expect(passes).toBe(2)
  })

  test('comes back when a pass asks for it', async () => {
    const atMs: number[] = []
    await using cluster = await aCluster(async (_map, { clock }) => {
      atMs.push(clock.monotonicMs())
      if (atMs.length < 3) return { requeueInMs: 1000 }
    })
    await cluster.create(configMaps, aMap('a'))
    await cluster.advance(10_000)
    expect(atMs.map((ms) => ms - atMs[0]!)).toEqual([0, 1000, 2000])
  })

  test('refuses to read what the controller does not declare', async () => {
    await using cluster = await aCluster(async (_map, { list }) => void list(secrets))
    await cluster.create(configMaps, aMap('a'))
    expect(cluster.warnings[0]).toContain('test-controller does not declare secrets')
  })

  test('shows every pass what the one before it wrote', async () => {
    // Each pass makes one more until there are ten: a pass that missed one would make eleven.
    const owns = [secrets]
    await using cluster = await aCluster(
      async (map, { list, writer, enqueue }, signal) => {
        if (list(secrets).ownedBy(map).length >= 10) return
        const metadata = {
          generateName: 's-',
          namespace: 'default',
          ownerReferences: ownedBy(map),
        }
        enqueue('default/a')
        await writer.create<Secret>(secrets, { metadata }, signal)
      },
      { owns },
    )
    await cluster.create(configMaps, aMap('a'))
    expect(await cluster.list(secrets, 'default')).toHaveLength(10)
  })

  test('tells a controller of an object that is no more', async () => {
    const gone: string[] = []
    const reconcileGone = async (key: string) => void gone.push(key)
    await using cluster = await aCluster(async () => {}, { reconcileGone })
    await cluster.create(configMaps, aMap('a'))
    await cluster.remove(configMaps, 'a')
    expect(gone).toEqual(['default/a'])
  })

  test('sends no write that would change nothing', async () => {
    await using cluster = await aCluster(async (map, { writer }, signal) => {
      await writer.change(configMaps, map, (draft) => (draft.data = { x: 'y' }), signal)
    })
    await cluster.create(configMaps, aMap('a'))
    expect(cluster.writes.filter((write) => write.startsWith('PUT'))).toHaveLength(1)
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})
