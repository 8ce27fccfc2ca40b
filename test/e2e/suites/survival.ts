// What a kill -9 does: to kedge nothing that a pod would notice, to a container a restart.

import { beforeAll, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { follow } from '../../support/follow.ts'
import { ok, until } from '../../support/machines.ts'
import { type Cluster, nodesReady, podView, useExample, useNamespace } from '../cluster.ts'
import type { Suite } from '../suite.ts'

const NAMESPACE = 'ke-survival'
/** How often the Service must have answered to each poller while kedge was dead. */
const ANSWERS_MIN = 20

export const survivalSuite: Suite = {
  name: 'survival',
  machines: { servers: 1, agents: 1 },
  tests: survivalTests,
}

function survivalTests(get: () => Cluster): void {
  useExample(get)
  const own = () => get().kubectl.with({ namespace: NAMESPACE })

  useNamespace(get, NAMESPACE)
  beforeAll(() => startPollers(get(), own()), 90_000)

  killTests(get, own)
  watchTests(get, own)
  containerTests(get)

  test('a node repairs its rules of Services when somebody destroys them', async () => {
    const { server, edge, kubectl, curl } = get()
    const ip = await kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])
    const page = () => curl(edge, `http://${ip}/index.html`)
    for (const command of ['flush', 'delete']) {
      await ok(edge.on(['nft', command, 'table', 'inet', 'kedge']))
      await until('the repair', async () => (await page()) === 'hello from kedge\n')
    }
    await ok(server.on(['nft', 'flush', 'ruleset']))
    await until('the repair of all', async () => {
      return (await curl(server, `http://${ip}/index.html`)) === 'hello from kedge\n'
    })
  })
}

function killTests(get: () => Cluster, own: () => Cluster['kubectl']): void {
  const identities = async () => {
    const { items } = await get().kubectl.json(['get', 'pods', '-A'])
    return items.map(podView).map(({ name, id, restarts }: PodId) => ({ name, id, restarts }))
  }
  const deaths = [
    { signal: 'SIGKILL', names: ['server'] },
    { signal: 'SIGKILL', names: ['edge'] },
    { signal: 'SIGKILL', names: ['server', 'edge'] },
    { signal: 'SIGTERM', names: ['server', 'edge'] },
  ] as const

  for (const { signal, names } of deaths) {
    test(`${signal} of ${names.join(' and ')} leaves containers and Services as they were`, async () => {
      const { lab, podsReady } = get()
      await podsReady('app=web', 3)
      const before = await identities()
      const victims = names.map((name) => get()[name])
      for (const machine of victims) await machine.signal(signal)
      for (const name of ['server', 'edge']) {
        const answered = answersOf(lab.folder, name).length
        await until(`answers in ${name}`, async () => {
          return answersOf(lab.folder, name).length >= answered + ANSWERS_MIN
        })
      }
      for (const machine of victims) machine.startAgain()
      await isWell(get())
      expect(await identities()).toEqual(before)
      for (const name of ['server', 'edge']) {
        expect(answersOf(lab.folder, name).filter((answer) => answer !== 'ok')).toEqual([])
        const exec = ['exec', `poll-${name}`, '--', 'echo', 'well']
        await until('its connection', async () => (await own()(exec)) === 'well\n')
        const counted = (await own()(['logs', `poll-${name}`])).trim().split('\n').map(Number)
        expect(counted).toEqual(counted.map((_, i) => i + 1))
      }
    })
  }
}

type PodId = { name: string; id: string; restarts: number }

function watchTests(get: () => Cluster, own: () => Cluster['kubectl']): void {
  test('a watch resumes where it was when the server was killed', async () => {
    const { server } = get()
    const kubectl = (...args: string[]) => own()(args)
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`
    const { metadata } = JSON.parse(await kubectl('get', '--raw', path))
    const since = (revision: string) =>
      own().argv(['get', '--raw', `${path}?watch=1&resourceVersion=${revision}`])
    await using first = follow(since(metadata.resourceVersion))
    await kubectl('create', 'configmap', 'before')
    await first.until('"name":"before"')
    const { resourceVersion } = JSON.parse(first.text.trim().split('\n').at(-1)!).object.metadata
    await kubectl('create', 'configmap', 'unseen')
    await server.signal('SIGKILL')
    server.startAgain()
    await isWell(get())
    await using second = follow(since(resourceVersion))
    await kubectl('create', 'configmap', 'after')
    await second.until('"name":"after"')
    const lines = second.text.trim().split('\n')
    const names = lines.map((line) => JSON.parse(line).object.metadata.name)
    expect(names).toEqual(['unseen', 'after'])
  })

  test('a client that follows a rollout follows it through a kill of the server', async () => {
    const { server } = get()
    const kubectl = (...args: string[]) => own()(args)
    await kubectl('create', 'deployment', 'late', '--image=kedge-test/absent:1')
    await using status = follow(own().argv(['rollout', 'status', 'deployment/late']))
    await status.until('0 of 1 updated replicas are available')
    await server.signal('SIGKILL')
    server.startAgain()
    await isWell(get())
    await kubectl('set', 'image', 'deployment/late', 'absent=kedge-test/web:1')
    await status.until('deployment "late" successfully rolled out')
  })
}

function containerTests(get: () => Cluster): void {
  test('a container that is killed comes back and is counted, with back-off', async () => {
    const { kubectl, podsReady } = get()
    const [pod] = await podsReady('app=web', 3)
    const { name, restarts, id } = pod!
    const status = async () => podView(await kubectl.json(['get', 'pod', name]))
    await killContainer(get(), await status())
    await until('a restart', async () => (await status()).restarts === restarts + 1)
    await podsReady('app=web', 3)
    const second = await status()
    expect(second.id).not.toBe(id)
    await killContainer(get(), second)
    await until('back-off', async () => {
      return (await kubectl(['get', 'pod', name])).includes('CrashLoopBackOff')
    })
    expect(await kubectl(['logs', '--previous', name])).toContain('listening on 8080')
    const { lastState, state } = (await kubectl.json(['get', 'pod', name])).status
      .containerStatuses[0]
    expect((state.terminated ?? lastState.terminated).exitCode).toBe(137)
    await until('a second restart', async () => (await status()).restarts === restarts + 2)
    await podsReady('app=web', 3)
    const events = await kubectl(['events', '--for', `pod/${name}`])
    expect(events).toContain('Back-off restarting failed container web in pod')
  })
}

async function killContainer(cluster: Cluster, { node, id }: { node: string; id: string }) {
  const machine = node === 'server' ? cluster.server : cluster.edge
  const tasks = await ok(machine.ctr(['tasks', 'ls']))
  const [, pid] = new RegExp(`^${id.replace('containerd://', '')} +(\\d+)`, 'm').exec(tasks) ?? []
  if (pid === undefined) throw new Error(`no task ${id} on ${node}:\n${tasks}`)
  process.kill(Number(pid), 'SIGKILL')
}

/** The API answers, both nodes and the web pods are Ready. */
async function isWell({ kubectl, podsReady }: Cluster): Promise<void> {
  await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
  await nodesReady(kubectl, 2)
  await podsReady('app=web', 3)
}

/**
 * A pod on each node that asks the web Service all the time, notes every answer on its machine, and
 * counts in its log.
 */
async function startPollers(cluster: Cluster, kubectl: Cluster['kubectl']): Promise<void> {
  const ip = await cluster.kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])
  const ask = `timeout 5 wget -q -O /dev/null http://${ip}/index.html && echo ok || echo failed`
  const script = `i=0; while :; do (${ask}) >> /answers/$NODE; echo $((i += 1)); sleep .05; done`
  const path = answersFolder(cluster.lab.folder)
  mkdirSync(path)
  chmodSync(path, 0o777)
  for (const name of ['server', 'edge']) {
    const container = {
      name: 'poll',
      image: 'kedge-test/busybox:1',
      command: ['sh', '-c', script],
      env: [{ name: 'NODE', value: name }],
      volumeMounts: [{ name: 'answers', mountPath: '/answers' }],
    }
    const spec = {
      containers: [container],
      terminationGracePeriodSeconds: 0,
      nodeSelector: { 'kubernetes.io/hostname': name },
      volumes: [{ name: 'answers', hostPath: { path } }],
    }
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: `poll-${name}` }, spec }
    await kubectl(['create', '-f', '-'], JSON.stringify(pod))
  }
  await kubectl(['wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s'])
}

function answersFolder(folder: string): string {
  return join(folder, 'answers')
}

/** `ok` or `failed`, one for each time that the poller of this node asked. */
function answersOf(folder: string, name: string): string[] {
  return readFileSync(join(answersFolder(folder), name), 'utf8')
    .trim()
    .split('\n')
}
