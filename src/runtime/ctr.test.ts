import { expect, test } from 'bun:test'
import { ExitError, type Processes, type RunResult } from '../lib/process.ts'
import { containerdConfig, parseVersion } from './containerd.ts'
import { Ctr, CtrError, parseTable, plainMessage } from './ctr.ts'
import { exitedAtMs, parseEvent } from './events.ts'

const signal = new AbortController().signal

function ctrThatSays(result: Partial<RunResult>): { ctr: Ctr; argv: string[][] } {
  const argv: string[][] = []
  const processes: Processes = {
    run: async (args) => {
      argv.push([...args])
      return { exitCode: 0, stdout: '', stderr: '', ...result }
    },
    spawn: () => {
      throw new Error('not needed')
    },
  }
  return { ctr: new Ctr({ processes, address: '/c.sock', namespace: 'kedge' }), argv }
}

test('every command names the socket and our namespace first', async () => {
  const { ctr, argv } = ctrThatSays({ stdout: 'out' })
  expect(await ctr.run(['tasks', 'ls'], signal)).toBe('out')
  expect(argv).toEqual([['ctr', '--address', '/c.sock', '--namespace', 'kedge', 'tasks', 'ls']])
})

test('a failure carries what containerd said, and what kind it is', async () => {
  const stderr = 'time="2026" level=warning msg="deprecated"\nctr: container "x": not found\n'
  const { ctr } = ctrThatSays({ exitCode: 1, stderr })
  const error = await ctr.run(['containers', 'rm', 'x'], signal).catch((caught) => caught)
  expect(error).toBeInstanceOf(CtrError)
  expect(error.message).toBe('container "x": not found')
  expect(error.cause).toBeInstanceOf(ExitError)
  expect([error.isNotFound, error.alreadyExists]).toEqual([true, false])
})

test('log lines of ctr are not its message', () => {
  expect(plainMessage('time="x" level=error msg="y"\n')).toBe('')
  expect(plainMessage('ctr: a\n')).toBe('a')
})

test('tables are cut at their titles', () => {
  const table =
    'REF                  TYPE           DIGEST    LABELS \n' +
    'docker.io/a/b:1      a type here    sha256:1  -      \n' +
    'x                    t              sha256:2  k=v w=x\n\n'
  expect(parseTable(table)).toEqual([
    { REF: 'docker.io/a/b:1', TYPE: 'a type here', DIGEST: 'sha256:1', LABELS: '-' },
    { REF: 'x', TYPE: 't', DIGEST: 'sha256:2', LABELS: 'k=v w=x' },
  ])
  expect(parseTable('')).toEqual([])
})

test('events of both generations of containerd are read', () => {
  const line = (body: string) =>
    `2026-11-21 12:57:51.33975393 +0000 UTC kedge /tasks/exit {${body}}`
  const old = parseEvent(
    line(
      '"container_id":"q1","id":"q1","exit_status":3,"exited_at":"2026-11-21T12:57:51.339729443Z"',
    ),
  )!
  const now = parseEvent(
    line('"container_id":"q1","exited_at":{"seconds":1795265871,"nanos":339729443}'),
  )!
  expect(old).toMatchObject({ topic: '/tasks/exit', body: { container_id: 'q1', exit_status: 3 } })
  expect(old.atMs).toBe(Date.UTC(2026, 10, 21, 12, 57, 51, 339))
  expect(exitedAtMs(old)).toBe(Date.UTC(2026, 10, 21, 12, 57, 51, 339))
  expect(exitedAtMs(now)).toBe(Date.UTC(2026, 10, 21, 12, 57, 51, 339))
  expect(exitedAtMs({ ...now, body: {} })).toBe(now.atMs)
})

test('a line that is no event, or half of one, is passed over', () => {
  const lines = ['', 'hello', '2026-11-21 12:57:51 +0000 UTC kedge /tasks/exit {"id":']
  for (const line of lines) expect(parseEvent(line)).toBeUndefined()
  expect(parseEvent('2026-11-21 12:57:51 +0000 UTC kedge /tasks/exit {"id:}')).toBeUndefined()
})

test('the version is that of the server, without what distributions add', () => {
  const output = 'Client:\n  Version:  2.0.0\n\nServer:\n  Version:  1.6.20~ds1\n'
  expect(parseVersion(output)).toBe('1.6.20')
  expect(parseVersion('Server:\n  Version:  v2.2.1\n')).toBe('2.2.1')
})

test('our containerd keeps to its own folders and runs no CRI', () => {
  const config = containerdConfig({ rootDir: '/lib/c', stateDir: '/run/c', socket: '/run/c/s' })
  expect(config).toContain('root = "/lib/c"\nstate = "/run/c"\n')
  expect(config).toContain('"io.containerd.grpc.v1.cri"')
})
