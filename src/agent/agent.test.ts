import { describe, expect, test } from 'bun:test'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TestNode } from '../../test/support/node.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { Pod } from '../api/schema/generated/types.ts'

const web = { name: 'web', image: 'web:1' }
const isRunning = ({ status }: Pod) => status?.phase === 'Running'
const isReady = ({ status }: Pod) =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')
const waitingOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting
const statusOf = ({ status }: Pod, i = 0) => status!.containerStatuses![i]!
const signal = new AbortController().signal

describe('an agent', () => {
  test('runs a pod that is bound to its node, and says so', async () => {
    await using node = await TestNode.start()
    await node.run('one', { containers: [web] })
    const pod = await node.untilPod('one', 'runs', isRunning)
    expect(node.runtime.done).toEqual(['sandbox one', 'start one/web 0'])
    const { conditions = [], podIP, hostIP, qosClass } = pod.status!
    expect(conditions.map(({ type, status }) => `${type} ${status}`)).toEqual([
      ...['PodReadyToStartContainers True', 'Initialized True', 'Ready True'],
      ...['ContainersReady True', 'PodScheduled True'],
    ])
    expect(statusOf(pod)).toMatchObject({ ready: true, started: true, restartCount: 0 })
    expect({ podIP, hostIP, qosClass }).toEqual({
      podIP: '10.42.0.1',
      hostIP: '192.0.2.10',
      qosClass: 'BestEffort',
    })
    await node.settle()
    expect(await node.eventsOf('one')).toEqual([
      'Normal Pulled Container image "web:1" already present on machine and can be accessed by the pod',
      'Normal Created Container created',
      'Normal Started Container started',
    ])
  })

  test('restarts what crashed: at once, then after ten seconds, then after twenty', async () => {
    await using node = await TestNode.start()
    const { metadata } = await node.run('one', { containers: [web] })
    await node.untilPod('one', 'runs', isReady)
    node.runtime.crash(metadata.uid!, 'web', 3)
    const again = await node.untilPod('one', 'restarted', (pod) => statusOf(pod).restartCount === 1)
    expect(statusOf(again).lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
    node.runtime.crash(metadata.uid!, 'web', 3)
    const held = await node.untilPod('one', 'is held back', waitingOf)
    expect(waitingOf(held)).toEqual({
      reason: 'CrashLoopBackOff',
      message: `back-off 10s restarting failed container=web pod=one_default(${metadata.uid})`,
    })
    expect(statusOf(held)).toMatchObject({ restartCount: 1, ready: false })
    const { done } = node.runtime
    await node.advance(9)
    expect(done).not.toContain('start one/web 2')
    await node.advance(1)
    await node.until('restarted', () => done.includes('start one/web 2'))
    await node.settle()
    node.runtime.crash(metadata.uid!, 'web', 3)
    await node.settle()
    await node.advance(19)
    expect(done).not.toContain('start one/web 3')
    await node.advance(1)
    await node.until('restarted', () => done.includes('start one/web 3'))
    expect(await node.eventsOf('one')).toContain(
      `Warning BackOff Back-off restarting failed container web in pod one_default(${metadata.uid})`,
    )
  })

  test('adopts what runs after a kill: the same containers, nothing new to say', async () => {
    await using node = await TestNode.start()
    const readinessProbe = { exec: { command: ['ready'] } }
    const { metadata } = await node.run('one', { containers: [{ ...web, readinessProbe }] })
    const before = await node.untilPod('one', 'is ready', isReady)
    await node.stopAgent()
    const requests = node.requests.length
    await node.startAgent()
    await node.until('the agent knows the pod', () => node.agent.find('default', 'one'))
    await node.settle()
    const after = await node.pod('one')
    expect(after!.status).toEqual(before.status!)
    expect(node.runtime.containersOf(metadata.uid!)).toHaveLength(1)
    expect(node.runtime.done).toEqual(['sandbox one', 'start one/web 0'])
    const written = node.requests.slice(requests).filter((request) => request.includes('/pods/'))
    expect(written).toEqual([])
  })

  test('ends a deleted pod with its grace, removes all of it, and then its object', async () => {
    await using node = await TestNode.start()
    const volumes = [{ name: 'scratch', emptyDir: {} }]
    const { metadata } = await node.run('one', {
      containers: [{ ...web, volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }],
      volumes,
    })
    await node.untilPod('one', 'runs', isRunning)
    const folder = join(node.folder, 'agent/pods')
    expect(await readdir(folder)).toEqual([metadata.uid!])
    await node.delete('one', 7)
    await node.until('the object is gone', async () => (await node.pod('one')) === undefined)
    expect(node.runtime.done.slice(2)).toEqual(['stop web 7', 'remove sandbox'])
    expect(node.runtime.podUids).toEqual([])
    await node.until('the folder is gone', async () => (await readdir(folder)).length === 0)
    expect(await node.eventsOf('one')).toContain('Normal Killing Stopping container web')
  })

  test('shortens the end of a pod that is deleted again with less grace', async () => {
    await using node = await TestNode.start()
    node.runtime.ignoresStop = () => true
    await node.run('one', { containers: [web] })
    await node.untilPod('one', 'runs', isRunning)
    await node.delete('one', 300)
    await node.until('it is being stopped', () => node.runtime.done.includes('stop web 300'))
    await node.delete('one', 4)
    await node.until('it is stopped sooner', () => node.runtime.done.includes('stop web 4'))
    await node.advance(5)
    await node.until('the object is gone', async () => (await node.pod('one')) === undefined)
  })

  test('clears away what is left of a pod that was forced out of the API', async () => {
    await using node = await TestNode.start()
    await node.run('one', { containers: [web] })
    await node.untilPod('one', 'runs', isRunning)
    await node.delete('one', 0)
    await node.until('nothing runs', () => node.runtime.podUids.length === 0)
    expect(node.runtime.done).toContain('stop web 30')
  })

  test('ends containers of pods that were deleted while it was away', async () => {
    await using node = await TestNode.start()
    await node.run('one', { containers: [web] })
    await node.untilPod('one', 'runs', isRunning)
    await node.stopAgent()
    await node.delete('one', 0)
    node.isServerAway = true
    await node.startAgent()
    await node.advance(10)
    expect(node.runtime.podUids).toHaveLength(1)
    node.isServerAway = false
    await node.advance(60)
    expect(node.runtime.podUids).toEqual([])
  })

  test('starts its pods after a reboot with no server in reach, from what it knew last', async () => {
    await using node = await TestNode.start()
    const data = { A: 'one' }
    await node.client.create(
      configMaps,
      { metadata: { name: 'cm', namespace: 'default' }, data },
      signal,
    )
    const stringData = { password: 'tell-nobody' }
    const secret = { metadata: { name: 'top', namespace: 'default' }, stringData }
    await node.client.create(secrets, secret, signal)
    const { metadata } = await node.run('one', {
      containers: [
        {
          ...web,
          envFrom: [{ configMapRef: { name: 'cm' } }, { secretRef: { name: 'top' } }],
          volumeMounts: [{ name: 'cm', mountPath: '/cm' }],
        },
      ],
      volumes: [{ name: 'cm', configMap: { name: 'cm' } }],
    })
    await node.untilPod('one', 'runs', isRunning)
    const kept = join(node.folder, 'agent/state/objects/secret_default_top.json')
    const stored = await node.until('it is kept', () => readFile(kept).catch(() => undefined))
    expect(stored.includes('tell-nobody')).toBe(false)
    const podFile = join(node.folder, `agent/state/pods/${metadata.uid}.json`)
    await node.until('the pod is kept as it is now', async () => {
      const text = await readFile(podFile, 'utf8').catch(() => '')
      return text.includes('"phase":"Running"')
    })
    await node.stopAgent()
    node.runtime.reboot()
    node.isServerAway = true
    await node.startAgent()
    await node.advance(10)
    await node.until('it runs again', () =>
      node.runtime.containersOf(metadata.uid!).some(({ state }) => state === 'running'),
    )
    const [seen] = node.runtime.containersOf(metadata.uid!)
    expect(seen!.attempt).toBe(1)
    const { env } = node.runtime.configs.get(seen!.id)!
    expect(env).toContain('A=one')
    expect(env).toContain('password=tell-nobody')
    expect(env).toContain('KUBERNETES_SERVICE_HOST=10.43.0.1')
    node.isServerAway = false
    await node.advance(60)
    const pod = await node.untilPod('one', 'is told', (now) => statusOf(now).restartCount === 1)
    expect(isRunning(pod)).toBe(true)
  })

  test('writes nothing but its signs of life while nothing changes', async () => {
    await using node = await TestNode.start()
    const probe = { exec: { command: ['fine'] }, periodSeconds: 5 }
    const containers = [{ ...web, readinessProbe: probe, livenessProbe: probe }]
    await node.run('one', { containers })
    await node.untilPod('one', 'is ready', isReady)
    await node.settle()
    const before = node.requests.length
    await node.advance(200)
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-a'
    expect(new Set(node.requests.slice(before))).toEqual(new Set([`PUT ${leases}`]))
  })

  test('refuses a pod that does not fit', async () => {
    await using node = await TestNode.start()
    const resources = { requests: { cpu: '3' } }
    await node.run('big', { containers: [{ ...web, resources }] })
    const pod = await node.untilPod('big', 'fails', ({ status }) => status?.phase === 'Failed')
    expect(pod.status).toMatchObject({
      reason: 'OutOfcpu',
      message:
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000",
    })
    expect(node.runtime.done).toEqual([])
    await node.settle()
    await node.stopAgent()
    const requests = node.requests.length
    await node.startAgent()
    await node.until('the agent knows the pod', () => node.agent.find('default', 'big'))
    await node.settle()
    expect((await node.pod('big'))!.status).toEqual(pod.status!)
    expect(node.requests.slice(requests).filter((one) => one.includes('/pods/'))).toEqual([])
  })

  test('registers again when somebody deletes its node', async () => {
    await using node = await TestNode.start()
    await node.agent.registered
    await node.client.delete(nodes, { name: 'node-a' }, {}, signal)
    await node.until('it is back', () =>
      node.client.get(nodes, { name: 'node-a' }, signal).catch(() => undefined),
    )
  })

  test('removes logs of its own pods only', async () => {
    await using node = await TestNode.start()
    const { metadata } = await node.run('one', { containers: [web] })
    await node.untilPod('one', 'runs', isRunning)
    const logs = join(node.folder, 'logs')
    const foreign = 'default_other_0b4e28ba-2fa1-41d2-883f-0016d3cca427'
    await mkdir(join(logs, `default_one_${metadata.uid}`), { recursive: true })
    await mkdir(join(logs, foreign))
    await node.settle(1000)
    await node.stopAgent()
    await node.delete('one', 0)
    await node.startAgent()
    await node.until('its logs are gone', async () => (await readdir(logs)).length === 1)
    expect(await readdir(logs)).toEqual([foreign])
  })

  test('registers its node and renews its lease', async () => {
    await using node = await TestNode.start({ settings: { labels: { disk: 'ssd' } } })
    await node.agent.registered
    const seen = await node.client.get(nodes, { name: 'node-a' }, signal)
    expect(seen.metadata.labels).toMatchObject({
      'kubernetes.io/hostname': 'node-a',
      'kubernetes.io/os': 'linux',
      disk: 'ssd',
    })
    const ready = seen.status!.conditions!.find(({ type }) => type === 'Ready')
    expect(ready).toMatchObject({ status: 'True', reason: 'KubeletReady' })
    expect(seen.status!.allocatable).toMatchObject({ cpu: '2', memory: '1948Mi', pods: '110' })
  })
})
