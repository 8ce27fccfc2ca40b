import { describe, expect, test } from 'bun:test'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { everyCase } from '../../../test/support/every-case.ts'
import type { Container, Probe } from '../../api/schema/generated/types.ts'
import { SimClock, SystemClock } from '../../lib/clock.ts'
import { SeededRandom } from '../../lib/random.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { type Adopted, ContainerProbes } from './container-probes.ts'
import { decodeStatus, encodeRequest } from './grpc.ts'
import { noteOutcome, type Outcome, UNPROBED } from './outcome.ts'
import { runProbe } from './run-probe.ts'
import { httpTarget, portOf } from './target.ts'

const good: Outcome = { result: 'success', output: '' }
const bad: Outcome = { result: 'failure', output: 'no' }

test('a verdict needs as many equal results in a row as its threshold says', () => {
  const cases = everyCase((choose) => {
    const probe = { successThreshold: choose([1, 2]), failureThreshold: choose([1, 3]) }
    const results = [0, 1, 2, 3].map(() => choose([true, false, undefined]))
    let state = UNPROBED
    for (const [i, result] of results.entries()) {
      const before = state.verdict
      const outcome = result === undefined ? 'error' : result ? 'success' : 'failure'
      state = noteOutcome(state, probe, { result: outcome, output: '' })
      const known = results.slice(0, i + 1).filter((one) => one !== undefined)
      const needed = result ? probe.successThreshold : probe.failureThreshold
      const lastOnes = known.slice(-needed)
      const isReached = lastOnes.length === needed && lastOnes.every((one) => one === result)
      expect(state.verdict).toBe(result !== undefined && isReached ? result : before)
    }
  })
  expect(cases).toBe(324)
})

describe('the probes of a container', () => {
  function probed(container: Partial<Container>, adopted?: Adopted) {
    const clock = new SimClock(0)
    const answers: Record<string, Outcome> = {}
    const runs: string[] = []
    const told: string[] = []
    let changes = 0
    const whole: Container = { name: 'web', ...container }
    const kindOf = (probe: Probe) =>
      (['startup', 'liveness', 'readiness'] as const).find(
        (kind) => whole[`${kind}Probe`] === probe,
      )!
    const probes = new ContainerProbes(whole, 0, adopted, {
      clock,
      random: new SeededRandom(1),
      changed: () => {
        changes += 1
      },
      told: (kind) => void told.push(kind),
      run: async (probe) => {
        const kind = kindOf(probe)
        runs.push(`${kind} ${clock.nowMs() / 1000}`)
        return answers[kind] ?? good
      },
    })
    return { clock, probes, answers, runs, told, changes: () => changes }
  }

  test('that are not there leave it started and ready', () => {
    expect(probed({}).probes.health).toEqual({ started: true, ready: true, failed: undefined })
  })

  test('wait for the startup probe, and then run in their own periods', async () => {
    const { clock, probes, answers, runs } = probed({
      startupProbe: { periodSeconds: 2, failureThreshold: 9 },
      livenessProbe: { periodSeconds: 3 },
      readinessProbe: { periodSeconds: 5, initialDelaySeconds: 6 },
    })
    answers.startup = bad
    await clock.advance(3000)
    const early = ['startup 0', 'startup 0.1', 'startup 0.3', 'startup 0.7', 'startup 1.5']
    expect(runs).toEqual([...early, 'startup 2'])
    answers.startup = good
    await clock.advance(6000)
    expect(runs.slice(6)).toEqual(['startup 4', 'liveness 4', 'readiness 6', 'liveness 7'])
    expect(probes.health).toEqual({ started: true, ready: true, failed: undefined })
  })

  test('see soon that a container is up, without counting what failed before', async () => {
    const { clock, probes, answers, told } = probed({
      startupProbe: { periodSeconds: 10, failureThreshold: 1 },
      readinessProbe: { periodSeconds: 10 },
    })
    answers.startup = bad
    answers.readiness = bad
    await clock.advance(500)
    expect(probes.health).toEqual({ started: false, ready: false, failed: undefined })
    answers.startup = good
    await clock.advance(200)
    expect(probes.health).toEqual({ started: true, ready: false, failed: undefined })
    answers.readiness = good
    await clock.advance(100)
    expect(probes.health).toEqual({ started: true, ready: true, failed: undefined })
    expect(told).toEqual([])
  })

  test('give a container as many whole periods as it may fail', async () => {
    for (const kind of ['startup', 'liveness'] as const) {
      const { clock, probes, answers, told } = probed({
        [`${kind}Probe`]: { periodSeconds: 10, failureThreshold: 3 },
      })
      answers[kind] = bad
      await clock.advance(29_900)
      expect(probes.health.failed).toBeUndefined()
      await clock.advance(100)
      expect(probes.health.failed).toBe(kind)
      expect(told).toEqual([kind, kind, kind])
    }
  })

  test('say that a container failed, once, and then leave it alone', async () => {
    const { clock, probes, answers, runs, changes } = probed({
      livenessProbe: { periodSeconds: 1, failureThreshold: 2 },
    })
    await clock.advance(1500)
    answers.liveness = bad
    await clock.advance(10_000)
    expect(probes.health.failed).toBe('liveness')
    expect(runs).toEqual(['liveness 1', 'liveness 2', 'liveness 3'])
    expect(changes()).toBe(1)
  })

  test('go on from what was reported when the container is adopted', async () => {
    const readinessProbe = { periodSeconds: 10 }
    const { clock, probes, runs } = probed({ readinessProbe }, { started: true, ready: true })
    expect(probes.health.ready).toBe(true)
    expect(runs).toEqual([])
    await clock.advance(10_000)
    expect(runs).toHaveLength(1)
  })

  test('do not kill a pod that is being deleted, but still say whether it is ready', async () => {
    const both = { periodSeconds: 1, failureThreshold: 1 }
    const { clock, probes, answers } = probed({ livenessProbe: both, readinessProbe: both })
    await clock.advance(500)
    probes.end()
    answers.liveness = bad
    answers.readiness = bad
    await clock.advance(5000)
    expect(probes.health).toEqual({ started: true, ready: false, failed: undefined })
  })

  test('end with it', async () => {
    const { clock, probes, runs } = probed({ livenessProbe: { periodSeconds: 1 } })
    await clock.advance(2500)
    probes.close()
    await clock.advance(10_000)
    expect(runs).toHaveLength(2)
  })
})

describe('targets', () => {
  const container = { name: 'web', ports: [{ name: 'http', containerPort: 8080 }] }

  test('know ports by number and by name', () => {
    expect([portOf(80, container), portOf('80', container), portOf('http', container)]).toEqual([
      ...[80, 80, 8080],
    ])
    expect(() => portOf('none', container)).toThrow(`couldn't find port named "none"`)
  })

  test('have the headers of the probe, and those that it leaves out', () => {
    const httpHeaders = [
      { name: 'Accept', value: '' },
      { name: 'X', value: 'y' },
    ]
    const { headers } = httpTarget({ port: 80, httpHeaders }, container, '10.0.0.1', 'probe')
    expect(headers).toEqual([
      ['X', 'y'],
      ['User-Agent', 'kube-probe/1.36'],
    ])
  })
})

describe('a probe over the network', () => {
  const signal = new AbortController().signal
  const deps = { runtime: {} as Runtime, clock: new SystemClock() }
  const ask = (probe: Probe, podIp = '127.0.0.1') =>
    runProbe(deps, probe, { containerId: 'c', container: { name: 'web' }, podIp }, signal)

  async function listening(server: Server): Promise<{ port: number } & AsyncDisposable> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    const { port } = server.address() as AddressInfo
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
    return { port, [Symbol.asyncDispose]: close }
  }

  test('over HTTP succeeds below 400, and follows redirects on the same host', async () => {
    const seen: string[] = []
    const http = createHttp((request, response) => {
      seen.push(`${request.url} ${request.headers['user-agent']} ${request.headers.host}`)
      const code = Number(request.url!.slice(1))
      const location = code === 302 ? '/200' : 'http://elsewhere.test/'
      response.writeHead(code, code >= 300 && code < 400 ? { location } : {}).end('body')
    })
    await using server = await listening(http as unknown as Server)
    const get = (path: string) => ask({ httpGet: { port: server.port, path } })
    expect(await get('/200')).toEqual({ result: 'success', output: 'body' })
    expect((await get('/302')).result).toBe('success')
    expect(await get('/307')).toEqual({
      result: 'warning',
      output: 'Probe terminated redirects, Response body: body',
    })
    expect(await get('/500')).toEqual({
      result: 'failure',
      output: 'HTTP probe failed with statuscode: 500',
    })
    expect(seen[0]).toBe(`/200 kube-probe/1.36 127.0.0.1:${server.port}`)
  })

  test('says in the words of Go that nobody is there', async () => {
    let port: number
    {
      await using server = await listening(createServer())
      port = server.port
    }
    const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`
    expect(await ask({ tcpSocket: { port } })).toEqual({ result: 'failure', output: refused })
    expect(await ask({ httpGet: { port, path: '/x' } })).toEqual({
      result: 'failure',
      output: `Get "http://127.0.0.1:${port}/x": ${refused}`,
    })
  })

  test('over TCP succeeds when the port is open', async () => {
    await using server = await listening(createServer((socket) => socket.destroy()))
    expect((await ask({ tcpSocket: { port: server.port } })).result).toBe('success')
  })

  test('over gRPC asks the health service', async () => {
    const asked: string[] = []
    const grpc = createHttp2()
    grpc.on('stream', (stream: ServerHttp2Stream, headers) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const name = Buffer.concat(chunks).subarray(7).toString()
        asked.push(`${headers[':path']} ${name}`)
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc' },
          { waitForTrailers: true },
        )
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(Buffer.from([0, 0, 0, 0, 2, 8, name === 'sick' ? 2 : 1]))
      })
    })
    await using server = await listening(grpc as unknown as Server)
    expect((await ask({ grpc: { port: server.port } })).result).toBe('success')
    expect(await ask({ grpc: { port: server.port, service: 'sick' } })).toEqual({
      result: 'failure',
      output: 'service unhealthy (responded with "NOT_SERVING")',
    })
    expect(asked).toEqual([
      ...['/grpc.health.v1.Health/Check ', '/grpc.health.v1.Health/Check sick'],
    ])
  })
})

test('gRPC messages are small enough to be written by hand', () => {
  expect([...encodeRequest('ab')]).toEqual([0x0a, 2, 97, 98])
  expect([...encodeRequest('a'.repeat(200)).subarray(0, 3)]).toEqual([0x0a, 0xc8, 1])
  expect(decodeStatus(Buffer.from([8, 1]))).toBe(1)
  expect(decodeStatus(Buffer.alloc(0))).toBe(0)
})
