// The second node: nobody connects to it, and it can be taken out of service and back.

import { expect, test } from 'bun:test'
import { run, until } from '../../support/machines.ts'
import { type Cluster, useExample } from '../cluster.ts'
import type { Suite } from '../suite.ts'

/** Where a kubelet would listen. */
const PORT = 10250

export const nodesSuite: Suite = {
  name: 'nodes',
  machines: { servers: 1, agents: 1 },
  tests: nodesTests,
}

function nodesTests(get: () => Cluster): void {
  useExample(get)
  const kubectl = (...args: string[]) => get().kubectl(args)

  test('the second takes no connection from the first', async () => {
    const { server, edge, curl } = get()
    const code = `Bun.serve({ port: ${PORT}, fetch: () => new Response('here') })`
    const argv = edge.on([process.execPath, '-e', code])
    const listener = Bun.spawn(argv, { stdin: 'ignore', stdout: 'ignore' })
    try {
      const inside = () => curl(edge, `http://${edge.ip}:${PORT}`)
      await until('the listener', async () => (await inside()) === 'here')
      const outside = await run(server.on(['curl', '-sS', '-m2', `http://${edge.ip}:${PORT}`]))
      expect(outside).toMatchObject({ code: 28, stdout: '' }) // It timed out.
    } finally {
      listener.kill(9)
      await listener.exited
    }
  })

  test('are cordoned, drained and taken back', async () => {
    await kubectl('cordon', 'edge')
    expect(await kubectl('get', 'node', 'edge')).toContain('Ready,SchedulingDisabled')
    await kubectl('drain', 'edge', '--timeout=90s', '--force', '--ignore-daemonsets')
    const pods = await get().podsReady('app=web', 3)
    expect(new Set(pods.map(({ node }) => node))).toEqual(new Set(['server']))
    await kubectl('uncordon', 'edge')
    for (const count of [0, 3]) {
      await kubectl('scale', 'deployment/web', `--replicas=${count}`)
      await get().podsReady('app=web', count)
    }
    const after = await get().podsReady('app=web', 3)
    expect(new Set(after.map(({ node }) => node))).toEqual(new Set(['server', 'edge']))
  })
}
