import { expect, test } from 'bun:test'
import { testServer } from '../../../../test/support/server.ts'
import { SimClock } from '../../../lib/clock.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

/** A server with ConfigMaps of these names, and what tests of watches do to them. */
async function serverWith(...names: string[]) {
  const clock = new SimClock()
  const server = await testServer({ clock })
  const create = (name: string, labels = {}) =>
    server.call('POST', MAPS, { body: { metadata: { name, labels } } })
  const merge = (name: string, body: unknown) =>
    server.call('PATCH', `${MAPS}/${name}`, {
      body,
      headers: { 'content-type': 'application/merge-patch+json' },
    })
  const label = (name: string, labels: unknown) => merge(name, { metadata: { labels } })
  for (const name of names) await create(name)
  return { server, clock, create, merge, label }
}

const seen = ({ type, object }: { type: string; object: { metadata: { name: string } } }) =>
  `${type} ${object.metadata.name}`

test('a watch without a revision begins with all there is', async () => {
  const { server, create } = await serverWith('a', 'b')
  const watch = await server.watch(`${MAPS}?watch=1`)
  await create('c')
  expect(seen(await watch.next())).toBe('ADDED a')
  expect(seen(await watch.next())).toBe('ADDED b')
  expect(seen(await watch.next())).toBe('ADDED c')
  await watch.stop()
  await server.close()
})

test('a watch from a revision sees everything since, in order', async () => {
  const { server, create, merge } = await serverWith('a')
  const { json } = await server.call('GET', MAPS)
  await merge('a', { data: { k: 'v' } })
  await create('b')
  await server.call('DELETE', `${MAPS}/a`)
  const watch = await server.watch(
    `${MAPS}?watch=1&resourceVersion=${json.metadata.resourceVersion}`,
  )
  const events = [await watch.next(), await watch.next(), await watch.next()]
  expect(events.map(seen)).toEqual(['MODIFIED a', 'ADDED b', 'DELETED a'])
  const revisions = events.map(({ object }) => Number(object.metadata.resourceVersion))
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b))
  expect(events[2].object.data).toEqual({ k: 'v' })
  await watch.stop()
  await server.close()
})

test('an object that comes to match a selector is added, one that ceases to is deleted', async () => {
  const { server, label, merge } = await serverWith('a', 'b')
  const watch = await server.watch(`${MAPS}?watch=1&labelSelector=tier%3Dfront`)
  await label('b', { tier: 'back' })
  await label('a', { tier: 'front' })
  await merge('a', { data: { k: 'v' } })
  await label('a', { tier: 'back' })
  await server.call('DELETE', `${MAPS}/a`)
  await label('b', { tier: 'front' })
  const events = []
  for (let i = 0; i < 4; i++) events.push(await watch.next())
  expect(events.map(seen)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED b'])
  // What is deleted from the view is shown as it was in it, at the revision of leaving.
  expect(events[2].object.metadata.labels).toEqual({ tier: 'front' })
  expect(Number(events[2].object.metadata.resourceVersion)).toBeGreaterThan(
    Number(events[1].object.metadata.resourceVersion),
  )
  await watch.stop()
  await server.close()
})

test('a watch of one name sees that object alone', async () => {
  const { server, create } = await serverWith('a', 'ab')
  const watch = await server.watch(`${MAPS}?watch=1&fieldSelector=metadata.name%3Da`)
  await server.call('DELETE', `${MAPS}/ab`)
  await server.call('DELETE', `${MAPS}/a`)
  await create('ab')
  await create('a')
  expect(seen(await watch.next())).toBe('ADDED a')
  expect(seen(await watch.next())).toBe('DELETED a')
  expect(seen(await watch.next())).toBe('ADDED a')
  await watch.stop()
  await server.close()
})

test('a streamed list ends with a bookmark that says so', async () => {
  const { server } = await serverWith('a', 'b')
  const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  const watch = await server.watch(`${MAPS}?watch=1&${query}`)
  expect(seen(await watch.next())).toBe('ADDED a')
  expect(seen(await watch.next())).toBe('ADDED b')
  const { type, object } = await watch.next()
  expect(type).toBe('BOOKMARK')
  expect(object).toMatchObject({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: {
      resourceVersion: String(server.store.revision),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    },
  })
  await watch.stop()
  await server.close()
})

test('bookmarks come once a minute and shortly before the end', async () => {
  const { server, clock } = await serverWith('a')
  const revision = server.store.revision
  const query = `resourceVersion=${revision}&allowWatchBookmarks=true&timeoutSeconds=90`
  const watch = await server.watch(`${MAPS}?watch=1&${query}`)
  const times: number[] = []
  const startMs = clock.nowMs()
  const reading = (async () => {
    for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
      expect(event.type).toBe('BOOKMARK')
      expect(event.object.metadata).toEqual({ resourceVersion: String(revision) })
      times.push(clock.nowMs() - startMs)
    }
  })()
  await clock.advance(89_000)
  expect(times).toEqual([60_000, 88_000])
  await clock.advance(1_000)
  await reading
  expect(times).toHaveLength(2)
  await server.close()
})

test('a bookmark names the newest revision, also when that was of another kind', async () => {
  const { server, clock } = await serverWith('a')
  const query = `resourceVersion=${server.store.revision}&allowWatchBookmarks=true`
  const watch = await server.watch(`${MAPS}?watch=1&${query}`)
  const secret = { metadata: { name: 's' } }
  await server.call('POST', '/api/v1/namespaces/default/secrets', { body: secret })
  await clock.advance(60_000)
  const bookmark = await watch.next()
  expect(bookmark.object.metadata.resourceVersion).toBe(String(server.store.revision))
  await watch.stop()
  await server.close()
})

test('a watch from history that is gone says so as its only event', async () => {
  const { server, create } = await serverWith('a')
  const old = server.store.revision
  await create('b')
  await create('c')
  await server.store.compact(server.store.revision)
  const watch = await server.watch(`${MAPS}?watch=1&resourceVersion=${old}`)
  expect(await watch.next()).toMatchObject({
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired' },
  })
  expect(await watch.next()).toBeUndefined()
  await server.close()
})

test('tables of a watch have their columns once', async () => {
  const { server, create } = await serverWith('a')
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const watch = await server.watch(`${MAPS}?watch=1`, { headers: { accept } })
  await create('b')
  const [first, second] = [await watch.next(), await watch.next()]
  expect(first.object.kind).toBe('Table')
  expect(first.object.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    ...['Name', 'Data', 'Age'],
  ])
  expect(first.object.rows[0].object.metadata.name).toBe('a')
  expect(second.object.columnDefinitions ?? []).toEqual([])
  expect(second.object.rows[0].cells[0]).toBe('b')
  await watch.stop()
  await server.close()
})

test('a watch can be of nothing but metadata', async () => {
  const { server, merge } = await serverWith('a')
  await merge('a', { data: { k: 'v' } })
  const accept = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
  const watch = await server.watch(`${MAPS}?watch=1`, { headers: { accept } })
  const { object } = await watch.next()
  expect(Object.keys(object).toSorted()).toEqual(['apiVersion', 'kind', 'metadata'])
  expect(object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } })
  await watch.stop()
  await server.close()
})

test('a watcher that goes away leaves nothing behind', async () => {
  const { server, create, clock } = await serverWith()
  const watch = await server.watch(`${MAPS}?watch=1`)
  await create('a')
  expect(seen(await watch.next())).toBe('ADDED a')
  await watch.stop()
  await clock.advance(0)
  const { text } = await server.call('GET', '/metrics')
  expect(text).toMatch(/apiserver_longrunning_requests\{[^}]*resource="configmaps"[^}]*\} 0/)
  await server.close()
})

test('a watcher that reads nothing while much happens is cut off', async () => {
  const { server } = await serverWith('a')
  const watch = await server.watch(`${MAPS}?watch=1`)
  const data = { k: 'x'.repeat(1024 * 1024) }
  const count = 40
  for (let i = 0; i < count; i++) {
    await server.call('POST', MAPS, { body: { metadata: { name: `m${i}` }, data } })
  }
  let seenCount = 0
  while ((await watch.next()) !== undefined) seenCount++
  expect(seenCount).toBeLessThan(count)
  await server.close()
})
