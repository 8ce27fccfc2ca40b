// The README's example, as it stands there: pods, configuration, Services, DNS, node ports.

import { expect, test } from 'bun:test'
import { until } from '../../support/machines.ts'
import { type Cluster, manifestOfReadme, useExample } from '../cluster.ts'
import type { Suite } from '../suite.ts'

export const webSuite: Suite = {
  name: 'the example of the README',
  machines: { servers: 1, agents: 1 },
  tests: webTests,
}

function webTests(get: () => Cluster): void {
  useExample(get)
  test('runs three pods, spread over both nodes', async () => {
    const { kubectl, podsReady } = get()
    await kubectl(['apply', '-f', '-'], manifestOfReadme())
    await kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
    const pods = await podsReady('app=web', 3)
    expect(new Set(pods.map(({ node }) => node))).toEqual(new Set(['server', 'edge']))
  })

  test('mounts the ConfigMap and sets the Secret in the environment', async () => {
    const { kubectl, inPod, podsReady } = get()
    const [pod] = await podsReady('app=web', 3)
    expect(await inPod(pod!.name, 'cat /www/index.html')).toBe('hello from kedge\n')
    expect(await inPod(pod!.name, 'echo $PASSWORD')).toBe('correct horse\n')
    const limits = await kubectl(['get', 'pod', pod!.name, '-o', 'jsonpath={.status.qosClass}'])
    expect(limits).toBe('Burstable')
  })

  test('answers at its cluster address from both machines and from a pod', async () => {
    const { server, edge, kubectl, curl, inPod, podsReady } = get()
    const ip = await kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])
    for (const machine of [server, edge]) {
      expect(await curl(machine, `http://${ip}/index.html`)).toBe('hello from kedge\n')
    }
    for (const pod of await podsReady('app=web', 3)) {
      expect(await inPod(pod.name, `wget -qO- http://${ip}/index.html`)).toBe('hello from kedge\n')
    }
  })

  test('is found by name in a pod', async () => {
    const { inPod, podsReady } = get()
    for (const pod of await podsReady('app=web', 3)) {
      for (const name of ['web', 'web.default', 'web.default.svc.cluster.local']) {
        const page = await inPod(pod.name, `wget -qO- http://${name}/index.html`)
        expect(page).toBe('hello from kedge\n')
      }
    }
  })

  test('answers at its node port on both nodes, asked by the other and by a stranger', async () => {
    const { server, edge, curl, lab } = get()
    for (const [from, to] of [
      [server, edge],
      [edge, server],
    ] as const) {
      expect(await curl(from, `http://${to.ip}:30080/index.html`)).toBe('hello from kedge\n')
    }
    for (const to of [server, edge]) {
      const stranger = await fetch(`http://${to.ip}:30080/index.html`)
      expect(await stranger.text(), lab.gateway).toBe('hello from kedge\n')
    }
  })

  test('lets pods reach what is not in the cluster', async () => {
    const { lab, inPod, podsReady } = get()
    const fetch = (request: Request, server: Bun.Server<undefined>) =>
      new Response(server.requestIP(request)?.address ?? '')
    using world = Bun.serve({ hostname: lab.gateway, port: 0, fetch })
    for (const pod of await podsReady('app=web', 3)) {
      const asked = await inPod(pod.name, `wget -qO- http://${lab.gateway}:${world.port}/`)
      expect(asked).toBe(get()[pod.node as 'server' | 'edge'].ip)
    }
  })

  test('lets every pod reach every other, on both nodes', async () => {
    const { inPod, podsReady } = get()
    const pods = await podsReady('app=web', 3)
    for (const from of pods) {
      for (const to of pods) {
        const page = await inPod(from.name, `wget -qO- http://${to.ip}:8080/index.html`)
        expect(page).toBe('hello from kedge\n')
      }
    }
  })

  test('shows a changed ConfigMap in the pods that mount it', async () => {
    const { kubectl, inPod, podsReady } = get()
    const [pod] = await podsReady('app=web', 3)
    const patch = { data: { 'index.html': 'changed\n' } }
    await kubectl(['patch', 'configmap', 'web', '--type=merge', '-p', JSON.stringify(patch)])
    await until('the new page', async () => {
      return (await inPod(pod!.name, 'cat /www/index.html')) === 'changed\n'
    })
    const back = { data: { 'index.html': 'hello from kedge\n' } }
    await kubectl(['patch', 'configmap', 'web', '--type=merge', '-p', JSON.stringify(back)])
  })
}
