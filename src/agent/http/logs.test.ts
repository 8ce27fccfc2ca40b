import { afterEach, beforeEach, expect, test } from 'bun:test'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pod } from '../../api/schema/generated/types.ts'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { ByteReader } from '../../lib/net/byte-reader.ts'
import { bodyOf, formatHead, type HttpHead, readHead } from '../../lib/net/http1.ts'
import { streamPair } from '../../lib/net/pipe.ts'
import type { LogFilter } from './log-lines.ts'
import { LogText, parseLine } from './log-lines.ts'
import { containerWithLog } from './logs.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { serveNode } from './server.ts'

const never = new AbortController().signal
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kedge-logs-'))
  mkdirSync(join(root, 'd_p_u/c'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

const POD = {
  metadata: { namespace: 'd', name: 'p', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'i' }] },
  status: {
    containerStatuses: [{ name: 'c', containerID: 'containerd://c1', state: { running: {} } }],
  },
} as unknown as Pod

/** Lines a second apart, those with an odd number on stderr. */
const line = (n: number, text = `line ${n}`, tag = 'F') => {
  const stream = n % 2 ? 'stderr' : 'stdout'
  return `2026-01-01T00:00:${String(n).padStart(2, '0')}.000000000Z ${stream} ${tag} ${text}\n`
}

function world(options: { isKnown?: boolean } = {}) {
  const path = join(root, 'd_p_u/c/0.log')
  const changed = new Set<(uid: string) => void>()
  const known = Promise.withResolvers<void>()
  if (options.isKnown !== false) known.resolve()
  const seen = { id: 'c1', name: 'c', state: 'running', attempt: 0 }
  const node = {
    clock: new SimClock(Date.UTC(2026, 0, 1, 0, 0, 10)),
    log: silentLog,
    logsPath: root,
    pods: {
      known: () => known.promise,
      find: (_: string, name: string) => (name === 'p' ? POD : undefined),
      list: () => [POD],
    },
    runtime: {
      observe: async () => ({ sandbox: undefined, containers: [{ ...seen }] }),
      onChange(call: (uid: string) => void) {
        changed.add(call)
        return () => changed.delete(call)
      },
    },
    stats: async () => ({ node: { nodeName: 'n' } }),
  } as unknown as NodeHttp
  const get = async (target: string) => {
    const [client, server] = streamPair()
    void serveNode(node, server, never)
    await client.write(formatHead(`GET ${target} HTTP/1.1`, []))
    const reader = new ByteReader(client.readable)
    const head = (await readHead(reader)) as HttpHead
    return { code: Number(head.line.split(' ')[1]), body: bodyOf(head, reader, 'GET'), client }
  }
  const logs = async (query: string) => {
    const { body } = await get(`/containerLogs/d/p/c?${query}`)
    return await new Response(body as never).text()
  }
  const stop = () => {
    seen.state = 'exited'
    for (const call of changed) call('u')
  }
  return { path, get, logs, stop, known, listeners: changed }
}

test.each([
  ['', 'line 0\nline 1\nline 2\n'],
  ['tailLines=2', 'line 1\nline 2\n'],
  ['tailLines=0', ''],
  ['tailLines=9', 'line 0\nline 1\nline 2\n'],
  ['sinceTime=2026-01-01T00:00:01Z', 'line 1\nline 2\n'],
  ['sinceSeconds=8', 'line 2\n'],
  ['limitBytes=10', 'line 0\nlin'],
  ['stream=Stderr', 'line 1\n'],
  ['timestamps=true&tailLines=1', '2026-01-01T00:00:02.000000000Z line 2\n'],
])('the log with %p is %p', async (query, expected) => {
  const w = world()
  writeFileSync(w.path, line(0) + line(1) + line(2))
  expect(await w.logs(query)).toBe(expected)
})

test('who asks while the agent starts gets the answer when the pods are known', async () => {
  const w = world({ isKnown: false })
  writeFileSync(w.path, line(0))
  const asked = w.logs('')
  expect(await Promise.race([asked, Bun.sleep(5).then(() => 'waits')])).toBe('waits')
  w.known.resolve()
  expect(await asked).toBe('line 0\n')
})

test('the tail of a large file is found from its end', async () => {
  const w = world()
  const wide = 'x'.repeat(1000)
  writeFileSync(
    w.path,
    Array.from({ length: 500 }, (_, i) => line(i % 60, `${i} ${wide}`)).join(''),
  )
  const text = await w.logs('tailLines=200')
  expect(text.split('\n').length).toBe(201)
  expect(text).toStartWith('300 ')
})

test('following goes on over growth and rotation, and ends with the container', async () => {
  const w = world()
  writeFileSync(w.path, line(0))
  const { body } = await w.get('/containerLogs/d/p/c?follow=true')
  const reader = new ByteReader(body)
  expect(await reader.until('\n', 100)).toBe('line 0')
  appendFileSync(w.path, line(1, 'begins', 'P') + line(1, ' and ends'))
  expect(await reader.until('\n', 100)).toBe('begins and ends')
  renameSync(w.path, `${w.path}.20260101`)
  writeFileSync(w.path, line(2, 'after rotation'))
  expect(await reader.until('\n', 100)).toBe('after rotation')
  appendFileSync(w.path, line(3, 'last words'))
  w.stop()
  expect(await reader.until('\n', 100)).toBe('last words')
  expect(await reader.some()).toBeUndefined()
  expect(w.listeners.size).toBe(0)
})

test('a follower that goes away is noticed although nothing is written', async () => {
  const w = world()
  writeFileSync(w.path, line(0))
  const { client, body } = await w.get('/containerLogs/d/p/c?follow=true')
  await new ByteReader(body).until('\n', 100)
  expect(w.listeners.size).toBe(1)
  client.abort(new Error('gone'))
  while (w.listeners.size > 0) await new Promise((resolve) => setImmediate(resolve))
})

test.each([
  ['/containerLogs/d/other/c', 404, 'pod "other" does not exist'],
  ['/containerLogs/d/p/other', 404, 'container "other" not found in pod "p"'],
  ['/containerLogs/d/p/c?tailLines=x', 400, '{"message": "Unable to decode query."}'],
  ['/containerLogs/d/p/c', 400, 'unable to retrieve container logs for containerd://c1'],
  ['/healthz', 200, 'ok'],
  ['/stats/summary', 200, '{"node":{"nodeName":"n"}}'],
])('%s is answered with %d', async (path, code, text) => {
  const answer = await world().get(path)
  expect(answer.code).toBe(code)
  expect(await new Response(answer.body as never).text()).toBe(text)
})

const where = 'container "c" in pod "p"'
test.each([
  [undefined, false, `${where} is not available`],
  [
    { state: { waiting: { reason: 'ContainerCreating' } } },
    false,
    `${where} is waiting to start: ContainerCreating`,
  ],
  [
    { state: { waiting: { reason: 'ErrImagePull' } } },
    false,
    `${where} is waiting to start: image can't be pulled`,
  ],
  [
    { state: { running: {} }, containerID: 'containerd://a' },
    true,
    `previous terminated ${where} not found`,
  ],
  [{ state: {} }, false, `${where} is waiting to start - no logs yet`],
])('of a container with the status %p there is no log', (status, previous, message) => {
  const statuses = status === undefined ? [] : [{ name: 'c', ...status }]
  const pod = { ...POD, status: { containerStatuses: statuses } } as unknown as Pod
  expect(() => containerWithLog(pod, 'c', previous)).toThrow(message)
})

test.each([
  [{ state: { running: {} }, containerID: 'containerd://now' }, false, 'now'],
  [{ state: { terminated: { containerID: 'containerd://ended' } } }, false, 'ended'],
  [
    { state: { waiting: {} }, lastState: { terminated: { containerID: 'containerd://last' } } },
    false,
    'last',
  ],
  [
    { state: { running: {} }, lastState: { terminated: { containerID: 'containerd://last' } } },
    true,
    'last',
  ],
])(
  'of a container with the status %p the log of the right attempt is read',
  (status, previous, id) => {
    const pod = {
      ...POD,
      status: { containerStatuses: [{ name: 'c', ...status }] },
    } as unknown as Pod
    expect(containerWithLog(pod, 'c', previous)).toBe(id)
  },
)

const filter: LogFilter = {
  sinceMs: undefined,
  stream: 'All',
  timestamps: true,
  limitBytes: undefined,
}

test('lines may come in pieces of any size, and others than log lines are left out', () => {
  const bytes = Buffer.from(`${line(0, 'ä', 'P')}${line(0, 'b')}no log line\n${line(1, 'c d')}`)
  for (const size of [1, 2, 7, 1000]) {
    const text = new LogText(filter)
    const parts: Uint8Array[] = []
    for (let i = 0; i < bytes.length; i += size) parts.push(text.add(bytes.subarray(i, i + size)))
    expect(Buffer.concat(parts).toString()).toBe(
      '2026-01-01T00:00:00.000000000Z äb\n2026-01-01T00:00:01.000000000Z c d\n',
    )
  }
})

test('an empty line is a line', () => {
  const bytes = Buffer.from('2026-01-01T00:00:00Z stdout F')
  expect(Buffer.from(parseLine(bytes)!.content).toString()).toBe('\n')
})
