// What a kill -9 does: to kedge nothing that a pod would notice, to a container a restart.

import { describe, expect, test } from 'bun:test'
import { ok, until } from '../../support/machines.ts'
import { type Cluster, podView } from '../cluster.ts'

export function survivalSuite(get: () => Cluster): void {
  const identities = async () => {
    const { items } = await get().kubectl.json(['get', 'pods', '-l', 'app=web'])
    return items
      .map(podView)
      .map(({ name, id, restarts }: Record<string, unknown>) => ({ name, id, restarts }))
  }
  const ready = async () => {
    const { kubectl } = get()
    await until('the API', async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0)
    await kubectl(['wait', '--for=condition=Ready', 'node/server', 'node/edge', '--timeout=90s'])
  }

  describe('survival', () => {
    for (const victims of [['server'], ['edge'], ['server', 'edge']] as const) {
      test(`kill -9 of ${victims.join(' and ')} leaves every container as it was`, async () => {
        const { kubectl, server, edge, curl, podsReady } = get()
        await podsReady('app=web', 3)
        const before = await identities()
        const ip = await kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])
        const machines = victims.map((name) => (name === 'server' ? server : edge))
        for (const machine of machines) await machine.signal('SIGKILL')
        for (const machine of [server, edge]) {
          expect(await curl(machine, `http://${ip}/index.html`)).toBe('hello from kedge\n')
        }
        for (const machine of machines) machine.startAgain()
        await ready()
        await podsReady('app=web', 3)
        expect(await identities()).toEqual(before)
      })
    }

    test('a watch resumes after the server was killed', async () => {
      const { kubectl, server } = get()
      const argv = kubectl.argv(['wait', 'configmap/awaited', '--for=create', '--timeout=60s'])
      const { metadata } = await kubectl.json(['get', 'configmap', '-l', 'none=none'])
      await server.signal('SIGKILL')
      server.startAgain()
      await ready()
      const waiting = ok(argv)
      await kubectl(['create', 'configmap', 'awaited'])
      await waiting
      const path = `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1`
      const events = await kubectl([
        'get',
        '--raw',
        `${path}&resourceVersion=${metadata.resourceVersion}`,
      ])
      expect(events).toContain('"name":"awaited"')
    })

    test('a container that is killed comes back and is counted, with back-off', async () => {
      const { kubectl, inPod, podsReady } = get()
      const [pod] = await podsReady('app=web', 3)
      const killed = () => inPod(pod!.name, 'kill -9 -1; kill -TERM 1').catch(() => '')
      await killed()
      const status = async () => podView(await kubectl.json(['get', 'pod', pod!.name]))
      await until('a restart', async () => (await status()).restarts === pod!.restarts + 1)
      await podsReady('app=web', 3)
      expect((await status()).id).not.toBe(pod!.id)
      await killed()
      await until('back-off', async () => {
        return (await kubectl(['get', 'pod', pod!.name])).includes('CrashLoopBackOff')
      })
      const previous = await kubectl(['logs', '--previous', pod!.name])
      expect(previous).toContain('listening on 8080')
      await until('a second restart', async () => (await status()).restarts === pod!.restarts + 2)
      await podsReady('app=web', 3)
    })
  })
}
