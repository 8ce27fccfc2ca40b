// A control plane without a node: it serves, and says what is missing.

import { expect, test } from 'bun:test'
import { KEDGE, ok, run, until } from '../../support/machines.ts'
import { type Cluster, useNamespace } from '../cluster.ts'
import type { Suite } from '../suite.ts'

const NAMESPACE = 'ke-control-plane'

export const controlPlaneSuite: Suite = {
  name: 'control plane',
  machines: { servers: 1, agents: 0, options: { server: ['--disable-agent'] } },
  tests: controlPlaneTests,
}

function controlPlaneTests(get: () => Cluster): void {
  useNamespace(get, NAMESPACE)

  test('has no node, no containerd and no network of pods', async () => {
    const { kubectl, server } = get()
    expect((await kubectl.try(['get', 'nodes'])).stderr).toBe('No resources found\n')
    const links = await ok(server.on(['ip', '-o', 'link']))
    expect(links).not.toContain('kedge')
    expect((await run(server.ctr(['version']))).code).not.toBe(0)
  })

  test('keeps pods until there is a node for them, and says so', async () => {
    const kubectl = get().kubectl.with({ namespace: NAMESPACE })
    await kubectl(['run', 'waiting', '--image=kedge-test/busybox:1'])
    const why = await until('the reason', async () => {
      const path = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}'
      return (await kubectl(['get', 'pod', 'waiting', '-o', path])) || undefined
    })
    expect(why).toBe('no nodes available to schedule pods')
  })

  test('makes tokens for nodes that come', async () => {
    const { server } = get()
    const argv = [KEDGE, 'token', 'create', '--kubeconfig', server.kubeconfig]
    expect(await ok(server.on(argv))).toMatch(/^K10[0-9a-f]{64}::\S+\n$/)
  })
}
