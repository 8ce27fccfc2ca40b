// Two kinds are never taken for one: not with the same plural, nor in two versions.

import { expect, test } from 'bun:test'
import { testServer } from '../../test/support/server.ts'
import { builtInRows } from '../api/kinds/all.ts'
import type { KubeObject } from '../api/object.ts'
import { defineResource } from '../api/resource.ts'
import { collectable } from '../controllers/garbage/graph.ts'
import { planKinds } from '../controllers/garbage/namespace.ts'

const type = 'io.k8s.api.core.v1.ConfigMap'
const named = { kind: 'Service', plural: 'services', type, generationOf: false } as const
const asVersion = (apiVersion: string) => (object: KubeObject) => ({ ...object, apiVersion })

const inX = defineResource({
  ...named,
  group: 'x.io',
  version: 'v1',
  storagePrefix: 'x.io/services',
})
const inY = defineResource({
  ...named,
  group: 'y.io',
  version: 'v1',
  storagePrefix: 'y.io/services',
})
const inX2 = defineResource({
  ...named,
  group: 'x.io',
  version: 'v2',
  storagePrefix: 'x.io/services',
  toStored: asVersion('x.io/v1'),
  fromStored: asVersion('x.io/v2'),
})
const rows = [...builtInRows, inX, inX2, inY]

const core = '/api/v1/namespaces/default/services'
const of = (group: string) => `/apis/${group}/namespaces/default/services`
const body = (apiVersion: string) => ({
  apiVersion,
  kind: 'Service',
  metadata: { name: 'a' },
  data: { group: apiVersion },
})

test('kinds with the same plural have objects of their own', async () => {
  await using server = await testServer({ rows })
  for (const apiVersion of ['x.io/v1', 'y.io/v1']) {
    expect((await server.call('POST', of(apiVersion), { body: body(apiVersion) })).code).toBe(201)
  }
  const namesIn = async (path: string) =>
    (await server.call('GET', path)).json.items.map(
      ({ metadata, data }: KubeObject & { data?: object }) => [metadata.name, data],
    )
  expect(await namesIn(core)).toEqual([['kubernetes', undefined]])
  expect(await namesIn(of('x.io/v1'))).toEqual([['a', { group: 'x.io/v1' }]])
  expect(await namesIn(of('y.io/v1'))).toEqual([['a', { group: 'y.io/v1' }]])
  expect((await server.call('DELETE', `${of('x.io/v1')}/a`)).code).toBe(200)
  expect((await server.call('GET', `${of('y.io/v1')}/a`)).code).toBe(200)
})

test('watchers of two versions of one kind are each told in their own', async () => {
  await using server = await testServer({ rows })
  const paths = ['x.io/v1', 'x.io/v2', 'x.io/v1', 'x.io/v2']
  const watches = await Promise.all(
    paths.map((version) => server.watch(`${of(version)}?watch=1&labelSelector=!none`)),
  )
  const plain = await Promise.all(paths.map((version) => server.watch(`${of(version)}?watch=1`)))
  await server.call('POST', of('x.io/v1'), { body: body('x.io/v1') })
  for (const group of [watches, plain]) {
    const events = await Promise.all(group.map((watch) => watch.next()))
    expect(events.map(({ object }) => object.apiVersion)).toEqual(paths)
  }
  await Promise.all([...watches, ...plain].map((watch) => watch.stop()))
})

test('each kind is emptied and collected once, whatever its plural', () => {
  for (const chosen of [planKinds(rows), collectable(rows)]) {
    expect(chosen.filter(({ kind }) => kind === 'Service').map(({ group }) => group)).toEqual([
      ...['', 'x.io', 'y.io'],
    ])
  }
})
