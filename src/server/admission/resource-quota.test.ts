import { describe, expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'

const HERE = '/api/v1/namespaces/default'
const MERGE = { 'content-type': 'application/merge-patch+json' }

async function withQuota(hard: Record<string, string>, names = ['q']): Promise<TestServer> {
  const server = await testServer()
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']))
  for (const name of names) {
    const quota = { metadata: { name }, spec: { hard } }
    const made = await server.call('POST', `${HERE}/resourcequotas`, { body: quota })
    expect(made.code).toBe(201)
    await putStatus(server, name, { hard, used })
  }
  await seen()
  return server
}

/** Indexes hear of a write a moment later. */
async function seen() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function putStatus(server: TestServer, name: string, status: object) {
  const path = `${HERE}/resourcequotas/${name}/status`
  return server.call('PATCH', path, { body: { status }, headers: MERGE })
}

async function usedOf(server: TestServer, name = 'q') {
  return (await server.call('GET', `${HERE}/resourcequotas/${name}`)).json.status.used
}

function makeMap(server: TestServer, name: string, query = '') {
  return server.call('POST', `${HERE}/configmaps${query}`, { body: { metadata: { name } } })
}

async function mapCount(server: TestServer): Promise<number> {
  return (await server.call('GET', `${HERE}/configmaps`)).json.items.length
}

const many = Array.from({ length: 64 }, (_, index) => `m${index}`)

describe('64 at once', () => {
  test('get as many as there is room for, and the quota says so', async () => {
    await using server = await withQuota({ configmaps: '20', 'count/configmaps': '30' })
    const before = await mapCount(server)
    const answers = await Promise.all(many.map((name) => makeMap(server, name)))
    expect(answers.filter(({ code }) => code === 201)).toHaveLength(20)
    const refused = answers.filter(({ code }) => code === 403)
    expect(refused).toHaveLength(44)
    expect(refused[0]!.json.message).toContain(
      'exceeded quota: q, requested: configmaps=1, used: configmaps=20, limited: configmaps=20',
    )
    expect(await usedOf(server)).toEqual({ configmaps: '20', 'count/configmaps': '20' })
    expect(await mapCount(server)).toBe(before + 20)
  })

  test('of them under several quotas, the smallest decides and all are charged alike', async () => {
    await using server = await withQuota({ configmaps: '50' }, ['a', 'b'])
    const small = { hard: { configmaps: '7' }, used: { configmaps: '0' } }
    await putStatus(server, 'b', small)
    await seen()
    const answers = await Promise.all(many.map((name) => makeMap(server, name)))
    expect(answers.filter(({ code }) => code === 201)).toHaveLength(7)
    expect(await usedOf(server, 'a')).toEqual({ configmaps: '7' })
    expect(await usedOf(server, 'b')).toEqual({ configmaps: '7' })
  })

  test('never exceed it while somebody else writes the quota all the time', async () => {
    await using server = await withQuota({ configmaps: '20' })
    let isOver = false
    const meddle = async () => {
      for (let turn = 0; !isOver; turn++) {
        const body = { metadata: { labels: { turn: `${turn}` } } }
        await server.call('PATCH', `${HERE}/resourcequotas/q`, { body, headers: MERGE })
      }
    }
    const meddling = meddle()
    const before = await mapCount(server)
    const answers = await Promise.all(many.map((name) => makeMap(server, name)))
    isOver = true
    await meddling
    const made = answers.filter(({ code }) => code === 201).length
    expect(await mapCount(server)).toBe(before + made)
    expect(made).toBeLessThanOrEqual(20)
    expect(Number((await usedOf(server)).configmaps)).toBeGreaterThanOrEqual(made)
  })

  test('of which half are trials cost what the other half costs', async () => {
    await using server = await withQuota({ configmaps: '64' })
    const answers = await Promise.all(
      many.map((name, index) => makeMap(server, name, index % 2 === 0 ? '?dryRun=All' : '')),
    )
    expect(answers.every(({ code }) => code === 201)).toBe(true)
    expect(await usedOf(server)).toEqual({ configmaps: '32' })
  })
})

test('a quota that is gone charges nobody, though it was there a moment ago', async () => {
  await using server = await withQuota({ configmaps: '0' })
  expect((await makeMap(server, 'no')).code).toBe(403)
  await server.call('DELETE', `${HERE}/resourcequotas/q`)
  expect((await makeMap(server, 'yes')).code).toBe(201)
})

test('a quota of another namespace is none of ours', async () => {
  await using server = await withQuota({ configmaps: '0' })
  const path = '/api/v1/namespaces/kube-public/configmaps'
  expect((await server.call('POST', path, { body: { metadata: { name: 'a' } } })).code).toBe(201)
})
