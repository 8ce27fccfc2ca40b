// What a pod may ask for: hooks, probes, volumes, rights, orders. Few pods, many questions.

import { describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ok, until } from '../../support/machines.ts'
import { type Cluster, useNamespace } from '../cluster.ts'
import type { Suite } from '../suite.ts'
import { headlessPods, longPod, probedPod, shortPod } from './pod-manifests.ts'

const NAMESPACE = 'ke-pods'
const GRPC_PORT = 9099

/** Makes each of the probes succeed. */
const WELL = 'echo > /tmp/well; httpd -f -p 8081 >/dev/null 2>&1 & echo $! > /tmp/pid'

/** A gRPC health service that says SERVING, whatever it is asked. */
const HEALTHY = `
const server = require('node:http2').createServer()
server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]))
})
server.listen(${GRPC_PORT})`

export const podsSuite: Suite = {
  name: 'pods',
  machines: { servers: 1, agents: 1 },
  tests: podsTests,
}

function podsTests(get: () => Cluster): void {
  const own = () => get().kubectl.with({ namespace: NAMESPACE })
  const kubectl = (...args: string[]) => own()(args)
  const inPod = (pod: string, script: string) => get().inPod(pod, script, own())
  const apply = (...objects: object[]) =>
    own()(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  const ready = (pod: string) =>
    kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=90s')

  useNamespace(get, NAMESPACE)

  describe('with everything', () => {
    const folder = () => join(get().lab.folder, 'host-path')

    test('come up in order: init container, sidecar, startup, hooks', async () => {
      mkdirSync(folder())
      chmodSync(folder(), 0o777)
      await apply(...longPod(folder()))
      await ready('long')
      const { status } = await own().json(['get', 'pod', 'long'])
      const [first, sidecar] = status.initContainerStatuses
      expect(first.state.terminated).toMatchObject({ reason: 'Completed', exitCode: 0 })
      expect(sidecar).toMatchObject({ ready: true, started: true, restartCount: 0 })
      expect(status.containerStatuses[0]).toMatchObject({ ready: true, started: true })
      expect(await inPod('long', 'cat /shared/first')).toBe('from init\n')
      expect(await inPod('long', 'cat /shared/beat')).toBe('beat\n')
      expect(await inPod('long', 'cat /shared/hook')).toBe('post-start\n')
    })

    test('have the rights that they ask for, and no more', async () => {
      expect((await inPod('long', 'id -u; id -g; id -G')).split('\n').slice(0, 2)).toEqual([
        ...['1000', '3000'],
      ])
      const groups = (await inPod('long', 'id -G')).trim().split(' ').sort()
      expect(groups).toEqual(expect.arrayContaining(['2000', '3000', '4000']))
      const status = await inPod('long', 'cat /proc/self/status')
      expect(status).toMatch(/CapBnd:\s+0000000000000400\n/)
      expect(status).toMatch(/NoNewPrivs:\s+1\n/)
      expect(status).toMatch(/Seccomp:\s+2\n/)
      const write = own().try(['exec', 'long', '--', 'touch', '/file'])
      expect((await write).stderr).toContain('Read-only file system')
      expect(await inPod('long', 'stat -c %g /shared')).toBe('2000\n')
    })

    test('find their volumes', async () => {
      expect(await inPod('long', 'df -P /memory | tail -1')).toStartWith('tmpfs')
      expect((await inPod('long', 'cat /all/token')).split('.')).toHaveLength(3)
      expect(await inPod('long', 'cat /all/config/key')).toBe('value')
      expect(await inPod('long', 'cat /all/secret')).toBe('hidden')
      expect(await inPod('long', 'cat /all/labels')).toBe('app="long"')
      expect(await inPod('long', 'stat -Lc %a /all/secret')).toBe('440\n')
      await inPod('long', 'echo from-pod > /host/file')
      expect(readFileSync(join(folder(), 'file'), 'utf8')).toBe('from-pod\n')
    })

    test('find their environment', async () => {
      const env = await inPod('long', 'env')
      for (const line of ['POD=long', 'NODE=server', 'KEY=value', 'ALL_key=value', 'CPU=1']) {
        expect(env).toContain(`${line}\n`)
      }
      expect(env).toContain('JOINED=long-value\n')
      expect(env).toContain('KUBERNETES_SERVICE_HOST=10.43.0.1\n')
    })

    test('reach the API with their token', async () => {
      const script = 'wget -qO- --no-check-certificate https://kubernetes.default/version'
      expect(await inPod('long', script)).toContain('"gitVersion": "v1.36')
    })

    test('are told before they end', async () => {
      await kubectl('delete', 'pod', 'long', '--timeout=60s')
      expect(readFileSync(join(folder(), 'pre-stop'), 'utf8')).toBe('pre-stop\n')
    })
  })

  test('end as their containers end', async () => {
    await apply(shortPod('good', 'exit 0'), shortPod('bad', 'echo last words; exit 3'))
    await kubectl('wait', 'pod/good', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s')
    await kubectl('wait', 'pod/bad', '--for=jsonpath={.status.phase}=Failed', '--timeout=60s')
    const { status } = await own().json(['get', 'pod', 'bad'])
    expect(status.containerStatuses[0].state.terminated).toMatchObject({
      exitCode: 3,
      reason: 'Error',
      message: 'last words\n',
    })
    expect(await kubectl('get', 'pods')).toMatch(/bad +0\/1 +Error +0 /)
    expect(await kubectl('get', 'pods')).toMatch(/good +0\/1 +Completed +0 /)
    expect(await kubectl('logs', 'bad')).toBe('last words\n')
  })

  test('are judged by probes of each type', async () => {
    await apply(
      probedPod('by-exec', { exec: { command: ['test', '-f', '/tmp/well'] } }),
      probedPod('by-http', { httpGet: { path: '/tmp/well', port: 8080 } }),
      probedPod('by-tcp', { tcpSocket: { port: 8081 } }),
    )
    const pods = ['by-exec', 'by-http', 'by-tcp']
    const view = () => kubectl('get', 'pods', ...pods)
    await until('three that run', async () => (await view()).match(/0\/1 +Running/g)?.length === 3)
    for (const pod of pods) await inPod(pod, WELL)
    for (const pod of pods) await ready(pod)
    for (const pod of pods) await inPod(pod, 'rm /tmp/well; kill -9 $(cat /tmp/pid)')
    await until('three that are not ready', async () => {
      return (await view()).match(/0\/1 +Running/g)?.length === 3
    })
    expect(await kubectl('events', '--for', 'pod/by-http')).toContain(
      'Readiness probe failed: HTTP probe failed with statuscode: 404',
    )
  })

  test('are judged by gRPC as well', async () => {
    await apply(probedPod('by-grpc', { grpc: { port: GRPC_PORT } }, { hostNetwork: true }))
    const isRunning = async () => /by-grpc +0\/1 +Running/.test(await kubectl('get', 'pods'))
    await until('the pod to run', isRunning)
    const argv = get().server.on([process.execPath, '-e', HEALTHY])
    const health = Bun.spawn(argv, { stdin: 'ignore', stdout: 'ignore' })
    try {
      await ready('by-grpc')
    } finally {
      health.kill(9)
      await health.exited
    }
  })

  test('are restarted when they do not live', async () => {
    const livenessProbe = { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2 }
    await apply(shortPod('ill', 'trap "exit 0" TERM; while :; do sleep .1; done', livenessProbe))
    const restarts = '-o=jsonpath={.status.containerStatuses[0].restartCount}'
    await until('a restart', async () => Number(await kubectl('get', 'pod', 'ill', restarts)) > 0)
    expect(await kubectl('events', '--for', 'pod/ill')).toContain(
      'Container ill failed liveness probe, will be restarted',
    )
    await kubectl('delete', 'pod', 'ill', '--now')
  })

  test('are found by name behind a headless Service', async () => {
    await apply(...headlessPods())
    for (const name of ['zero', 'one']) await ready(name)
    const ips = '-o=jsonpath={.items[*].status.podIP}'
    const expected = (await kubectl('get', 'pods', '-l', 'app=named', ips)).split(' ').sort()
    const lookUp = async (name: string) => {
      const answer = await inPod('zero', `nslookup ${name}.${NAMESPACE}.svc.cluster.local`)
      return [...answer.matchAll(/Address: (10\.42\.\S+)/g)].map(([, ip]) => ip!).sort()
    }
    await until('both addresses', async () => (await lookUp('named')).length === 2)
    expect(await lookUp('named')).toEqual(expected)
    expect(await lookUp('one.named')).toHaveLength(1)
    expect(await inPod('zero', 'hostname -f')).toBe(`zero.named.${NAMESPACE}.svc.cluster.local\n`)
  })

  test('leave nothing on the machine', async () => {
    const uids = '-o=jsonpath={.items[*].metadata.uid}'
    const gone = (await kubectl('get', 'pods', uids)).split(' ')
    await kubectl('delete', 'pods', '--all', '--now', '--timeout=60s')
    const { server, edge } = get()
    for (const { dataDir } of [server, edge]) {
      for (const uid of gone) {
        await until('its folder to go', async () => !existsSync(join(dataDir, 'agent/pods', uid)))
      }
    }
    await until('control groups to go', async () => {
      const groups = await ok(['find', '/sys/fs/cgroup', '-type', 'd', '-name', 'pod*'])
      return !gone.some((uid) => groups.includes(uid))
    })
  })
}
