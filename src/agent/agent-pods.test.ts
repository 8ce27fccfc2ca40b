// What an agent makes of particular pods, end to end: real API server, containers in memory.

import { describe, expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TestNode } from '../../test/support/node.ts'
import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import { ContainerError } from '../api/pod/container-error.ts'
import type { Pod } from '../api/schema/generated/types.ts'

const web = { name: 'web', image: 'web:1' }
const signal = new AbortController().signal
const isReady = ({ status }: Pod) =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')
const phaseIs = (phase: string) => (pod: Pod) => pod.status?.phase === phase
const waitsFor = (reason: string) => (pod: Pod) =>
  pod.status?.containerStatuses?.[0]?.state?.waiting?.reason === reason
const named = (name: string) => ({ metadata: { name, namespace: 'default' } })

describe('a pod', () => {
  test('with init containers and a sidecar starts in order', async () => {
    await using node = await TestNode.start()
    node.runtime.onStart = ({ container }) => (container.name === 'prepare' ? 0 : undefined)
    await node.run('one', {
      initContainers: [
        { name: 'prepare', image: 'web:1' },
        { name: 'side', image: 'web:1', restartPolicy: 'Always' },
      ],
      containers: [web],
    })
    const pod = await node.untilPod('one', 'is ready', isReady)
    expect(node.runtime.done.slice(1)).toEqual([
      ...['start one/prepare 0', 'start one/side 0', 'start one/web 0'],
    ])
    const [prepare, side] = pod.status!.initContainerStatuses!
    expect(prepare).toMatchObject({ ready: true, started: false, restartCount: 0 })
    expect(side).toMatchObject({ ready: true, started: true })
  })

  test('that never restarts ends as its containers did', async () => {
    await using node = await TestNode.start()
    node.runtime.onStart = ({ container }) => (container.name === 'bad' ? 3 : 0)
    await node.run('good', { restartPolicy: 'Never', containers: [web] })
    await node.run('poor', {
      restartPolicy: 'Never',
      containers: [web, { name: 'bad', image: 'web:1' }],
    })
    const good = await node.untilPod('good', 'succeeds', phaseIs('Succeeded'))
    const poor = await node.untilPod('poor', 'fails', phaseIs('Failed'))
    const readyOf = ({ status }: Pod) => status!.conditions!.find(({ type }) => type === 'Ready')
    expect(readyOf(good)).toMatchObject({ status: 'False', reason: 'PodCompleted' })
    expect(readyOf(poor)).toMatchObject({ status: 'False', reason: 'PodFailed' })
    await node.until('all is cleared away', () => node.runtime.podUids.length === 0)
    await node.settle()
    const after = await node.pod('poor')
    expect(after!.status!.containerStatuses).toEqual(poor.status!.containerStatuses!)
  })

  test('whose image cannot be pulled says so, waits, and runs when it can', async () => {
    await using node = await TestNode.start()
    let isThere = false
    node.images.isHere = () => false
    node.images.onPull = () => {
      if (!isThere) throw new ContainerError('ErrImagePull', 'no such tag')
    }
    await node.run('one', { containers: [web] })
    await node.untilPod('one', 'fails to pull', waitsFor('ErrImagePull'))
    await node.advance(4)
    const held = await node.untilPod('one', 'backs off', waitsFor('ImagePullBackOff'))
    expect(held.status!.containerStatuses![0]!.state!.waiting!.message).toBe(
      'Back-off pulling image "web:1": ErrImagePull: no such tag',
    )
    expect(node.images.pulls).toHaveLength(1)
    isThere = true
    await node.advance(7)
    await node.untilPod('one', 'is ready', isReady)
    expect(await node.eventsOf('one')).toEqual([
      'Normal Pulling Pulling image "web:1"',
      'Warning Failed Failed to pull image "web:1": no such tag',
      'Warning Failed Error: ErrImagePull',
      'Normal BackOff Back-off pulling image "web:1"',
      'Warning Failed Error: ImagePullBackOff',
      expect.stringContaining('Normal Pulled Successfully pulled image "web:1" in '),
      ...['Normal Created Container created', 'Normal Started Container started'],
    ])
  })

  test('pulls with the credentials of its secrets', async () => {
    await using node = await TestNode.start()
    node.images.isHere = () => false
    const auths = { 'registry.test': { username: 'u', password: 'p' } }
    await node.client.create(
      secrets,
      {
        ...named('pull'),
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
      },
      signal,
    )
    const containers = [{ name: 'web', image: 'registry.test/web:1' }]
    await node.run('one', { containers, imagePullSecrets: [{ name: 'pull' }] })
    await node.untilPod('one', 'is ready', isReady)
    expect(node.images.pulls).toEqual([{ image: 'registry.test/web:1', credentials: 1 }])
  })

  test('that names a ConfigMap which is missing starts as soon as that comes', async () => {
    await using node = await TestNode.start()
    const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'late', key: 'a' } } }]
    await node.run('one', { containers: [{ ...web, env }] })
    const held = await node.untilPod('one', 'waits', waitsFor('CreateContainerConfigError'))
    expect(held.status!.containerStatuses![0]!.state!.waiting!.message).toBe(
      'configmap "late" not found',
    )
    await node.client.create(configMaps, { ...named('late'), data: { a: 'b' } }, signal)
    await node.untilPod('one', 'is ready', isReady)
  })

  test('sees a change of its ConfigMap in its volume, all at one instant', async () => {
    await using node = await TestNode.start()
    const map = await node.client.create(
      configMaps,
      { ...named('cm'), data: { a: '1', b: '1' } },
      signal,
    )
    const { metadata } = await node.run('one', {
      containers: [{ ...web, volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', configMap: { name: 'cm' } }],
    })
    await node.untilPod('one', 'is ready', isReady)
    const [seen] = node.runtime.containersOf(metadata.uid!)
    const mount = node.runtime.configs.get(seen!.id)!.mounts.find((m) => m.containerPath === '/v')!
    expect(mount.readOnly).toBe(true)
    expect(await readFile(join(mount.hostPath, 'a'), 'utf8')).toBe('1')
    await node.client.update(configMaps, { ...map, data: { a: '2', c: '2' } }, signal)
    await node.until('it changes', async () => {
      return (await readFile(join(mount.hostPath, 'a'), 'utf8')) === '2'
    })
    await node.until('the names follow', async () => {
      const names = await readdir(mount.hostPath)
      return (
        names
          .filter((name) => !name.startsWith('..'))
          .toSorted()
          .join() === 'a,c'
      )
    })
  })

  test('waits for its postStart hook, and is killed when that fails', async () => {
    await using node = await TestNode.start()
    node.runtime.onExec = () => ({ exitCode: 1 })
    const lifecycle = { postStart: { exec: { command: ['hello'] } } }
    await node.run('one', { containers: [{ ...web, lifecycle }] })
    await node.until('it is killed', () => node.runtime.done.includes('stop web 30'))
    await node.settle()
    const told = await node.eventsOf('one')
    expect(told).toContain('Warning FailedPostStartHook PostStartHook failed')
    expect(told).toContain('Normal Killing FailedPostStartHook')
  })

  test('spends the time of its preStop hook from its grace', async () => {
    await using node = await TestNode.start()
    const lifecycle = { preStop: { sleep: { seconds: 4 } } }
    await node.run('one', { containers: [{ ...web, lifecycle }] })
    await node.untilPod('one', 'is ready', isReady)
    await node.delete('one', 10)
    await node.settle()
    expect(node.runtime.done.some((what) => what.startsWith('stop'))).toBe(false)
    await node.advance(4)
    await node.until('it is stopped', () => node.runtime.done.includes('stop web 6'))
  })

  test('is restarted when its liveness probe fails, and says why', async () => {
    await using node = await TestNode.start()
    let isWell = true
    let askedCount = 0
    node.runtime.onExec = () => {
      askedCount += 1
      return { exitCode: isWell ? 0 : 1, output: 'I feel ill' }
    }
    const livenessProbe = { exec: { command: ['well'] }, periodSeconds: 5, failureThreshold: 2 }
    await node.run('one', { containers: [{ ...web, livenessProbe }] })
    await node.until('it runs', () => node.runtime.done.includes('start one/web 0'))
    await node.settle()
    await node.advance(5)
    await node.until('it was asked', () => askedCount > 0)
    isWell = false
    await node.advance(5)
    await node.until('it was asked again', () => askedCount > 1)
    await node.settle()
    expect(node.runtime.done).not.toContain('stop web 30')
    await node.advance(5)
    await node.until('it runs again', () => node.runtime.done.includes('start one/web 1'))
    await node.settle()
    const told = await node.eventsOf('one')
    expect(told).toContain('Warning Unhealthy Liveness probe failed: I feel ill')
    expect(told).toContain('Normal Killing Container web failed liveness probe, will be restarted')
  })

  test('becomes ready and unready as its readiness probe says', async () => {
    await using node = await TestNode.start()
    let isUp = false
    node.runtime.onExec = () => ({ exitCode: isUp ? 0 : 1 })
    const readinessProbe = { exec: { command: ['up'] }, periodSeconds: 2, failureThreshold: 1 }
    await node.run('one', { containers: [{ ...web, readinessProbe }] })
    const unready = await node.untilPod('one', 'runs', phaseIs('Running'))
    expect(isReady(unready)).toBe(false)
    isUp = true
    await node.advance(3)
    await node.untilPod('one', 'is ready', isReady)
    isUp = false
    await node.advance(3)
    await node.untilPod('one', 'is unready', (pod) => !isReady(pod))
    expect(node.runtime.done).toEqual(['sandbox one', 'start one/web 0'])
  })

  test('is ended at its deadline', async () => {
    await using node = await TestNode.start()
    await node.run('one', { containers: [web], activeDeadlineSeconds: 5 })
    await node.untilPod('one', 'runs', phaseIs('Running'))
    await node.advance(6)
    const pod = await node.untilPod('one', 'fails', phaseIs('Failed'))
    expect(pod.status!.reason).toBe('DeadlineExceeded')
    expect(node.runtime.done).toContain('stop web 30')
  })

  test('that never started in its time is told as lost', async () => {
    await using node = await TestNode.start()
    node.images.isHere = () => false
    node.images.onPull = () => {
      throw new ContainerError('ErrImagePull', 'no such tag')
    }
    await node.run('one', { containers: [web], activeDeadlineSeconds: 3 })
    await node.untilPod('one', 'waits', waitsFor('ErrImagePull'))
    await node.advance(4)
    const pod = await node.untilPod('one', 'is told', ({ status }) => {
      return status?.containerStatuses?.[0]?.state?.terminated
    })
    expect(pod.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
    expect(pod.status!.containerStatuses![0]!.state!.terminated).toMatchObject({
      reason: 'ContainerStatusUnknown',
      exitCode: 137,
    })
  })

  test('that asks for a volume nobody can make says which', async () => {
    await using node = await TestNode.start()
    const volumes = [{ name: 'v', nfs: { server: 'x', path: '/' } }]
    await node.run('one', { containers: [web], volumes })
    const message =
      'Warning FailedMount MountVolume.SetUp failed for volume "v" : volumes of type nfs are not supported'
    await node.until('it is told', async () => (await node.eventsOf('one')).includes(message))
  })

  test('gets the token of its account, and a new one in time', async () => {
    await using node = await TestNode.start()
    const source = { serviceAccountToken: { path: 'token', expirationSeconds: 1000 } }
    const { metadata } = await node.run('one', {
      containers: [{ ...web, volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [{ name: 'v', projected: { sources: [source] } }],
    })
    await node.untilPod('one', 'is ready', isReady)
    const path = join(node.folder, 'agent/memory', metadata.uid!, 'v/token')
    const first = await readFile(path, 'utf8')
    expect(first.split('.')).toHaveLength(3)
    await node.advance(780)
    expect(await readFile(path, 'utf8')).toBe(first)
    await node.advance(40)
    await node.until('it is renewed', async () => (await readFile(path, 'utf8')) !== first)
  })
})
