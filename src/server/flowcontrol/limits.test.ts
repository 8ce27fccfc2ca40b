import { expect, test } from 'bun:test'
import { ADMIN, testServer } from '../../../test/support/server.ts'
import type { UserInfo } from '../../api/resource.ts'
import { SimClock } from '../../lib/clock.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
/** May do everything, but is no administrator, who is never turned away. */
const WORKER: UserInfo = { username: 'worker', groups: ['workers', 'system:authenticated'] }

async function busyServer(settings: { readsMax?: number; writesMax?: number }) {
  const server = await testServer({ settings, clock: new SimClock() })
  const bound = await server.call(
    'POST',
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    {
      body: {
        metadata: { name: 'workers' },
        subjects: [{ kind: 'Group', name: 'workers' }],
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          ...{ kind: 'ClusterRole', name: 'cluster-admin' },
        },
      },
    },
  )
  expect(bound.code).toBe(201)
  const create = (name: string, user: UserInfo) =>
    server.call('POST', MAPS, { user, body: { metadata: { name } } })
  return { server, create }
}

test('more writes at once than there is room for are turned away, and may come again', async () => {
  const { server, create } = await busyServer({ writesMax: 2 })
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => create(name, WORKER)))
  expect(all.map(({ code }) => code)).toEqual([201, 201, 429, 429])
  expect(all[3]!.headers.get('retry-after')).toBe('1')
  expect(all[3]!.json).toMatchObject({
    ...{ reason: 'TooManyRequests', message: 'Too many requests, please try again later.' },
  })
  expect((await create('c', WORKER)).code).toBe(201)
  expect((await create('c', WORKER)).code).toBe(409)
  // Those that failed have made room again too.
  expect((await create('d', WORKER)).code).toBe(201)
  await server.close()
})

test('administrators always have room', async () => {
  const { server, create } = await busyServer({ writesMax: 1 })
  const names = ['a', 'b', 'c']
  const all = await Promise.all(names.map((name) => create(name, ADMIN)))
  expect(all.map(({ code }) => code)).toEqual([201, 201, 201])
  await server.close()
})

test('a watch takes no room', async () => {
  const { server } = await busyServer({ readsMax: 1 })
  const watches = await Promise.all(
    [1, 2, 3].map(() => server.watch(`${MAPS}?watch=1`, { user: WORKER })),
  )
  expect((await server.call('GET', MAPS, { user: WORKER })).code).toBe(200)
  for (const watch of watches) await watch.stop()
  await server.close()
})
