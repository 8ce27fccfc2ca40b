// Who is let in, and when: end to end against a real API server, containers in memory.

import { describe, expect, test } from 'bun:test'
import { TestNode } from '../../../test/support/node.ts'
import type { Pod } from '../../api/schema/generated/types.ts'

const ported = (hostPort: number) => ({
  containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80, hostPort }] }],
})
const isRunning = ({ status }: Pod) => status?.phase === 'Running'
const hasFailed = ({ status }: Pod) => status?.phase === 'Failed'
const started = (node: TestNode) => node.runtime.done.filter((what) => what.startsWith('start '))

/** A node with `old` on port 80, which takes its whole grace to end. */
async function withSlowOne(): Promise<TestNode> {
  const node = await TestNode.start()
  node.runtime.ignoresStop = () => true
  await node.run('old', { ...ported(80), terminationGracePeriodSeconds: 20 })
  await node.untilPod('old', 'runs', isRunning)
  return node
}

describe('a port of the node', () => {
  test('passes to a successor when the old pod, deleted with no grace, has ended', async () => {
    await using node = await withSlowOne()
    await node.delete('old', 0)
    await node.run('new', ported(80))
    await node.until('it waits', async () => (await node.eventsOf('new')).length > 0)
    expect(await node.eventsOf('new')).toEqual([
      "Normal Waiting Waiting for pods of this node that are ending: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ])
    await node.settle()
    expect((await node.pod('new'))!.status!.phase).toBe('Pending')
    expect(started(node)).toEqual(['start old/web 0'])
    await node.advance(25)
    await node.untilPod('new', 'runs', isRunning)
    const { done } = node.runtime
    expect(done.indexOf('remove sandbox')).toBeLessThan(done.indexOf('start new/web 0'))
  })

  test('passes to one successor only', async () => {
    await using node = await withSlowOne()
    await node.delete('old', 0)
    await node.run('first', ported(80))
    await node.run('second', ported(80))
    await node.untilPod('second', 'is refused', hasFailed)
    await node.advance(25)
    await node.untilPod('first', 'runs', isRunning)
    expect((await node.pod('second'))!.status!.reason).toBe('NodePorts')
  })

  test('is waited for by a pod that can be deleted meanwhile, and by one that is changed', async () => {
    await using node = await withSlowOne()
    await node.delete('old', 0)
    for (const [name, grace] of [
      ['soft', undefined],
      ['hard', 0],
    ] as const) {
      await node.run(name, ported(80))
      await node.until('it waits', async () => (await node.eventsOf(name)).length > 0)
      await node.delete(name, grace)
      await node.until(`${name} is gone`, async () => (await node.pod(name)) === undefined)
    }
    await node.advance(25)
    await node.settle()
    await node.until('all sandboxes are gone', async () => node.runtime.podUids.length === 0)
    expect(started(node)).toEqual(['start old/web 0'])
  })

  test('that somebody keeps is refused for good', async () => {
    await using node = await withSlowOne()
    await node.run('new', ported(80))
    const { status } = await node.untilPod('new', 'is refused', hasFailed)
    expect(status).toMatchObject({ reason: 'NodePorts' })
  })
})

describe('a setting of the kernel', () => {
  const wants = (name: string) => ({
    containers: [{ name: 'web', image: 'web:1' }],
    securityContext: { sysctls: [{ name, value: '1' }] },
  })

  test('that is not on the list fails the pod, in the words of the kubelet', async () => {
    await using node = await TestNode.start({ settings: { allowedUnsafeSysctls: ['net.core.*'] } })
    await node.run('bad', wants('kernel.core_pattern'))
    const { status } = await node.untilPod('bad', 'is refused', hasFailed)
    const why = 'forbidden sysctl: "kernel.core_pattern" not allowlisted'
    expect(status).toMatchObject({ reason: 'SysctlForbidden', message: `Pod was rejected: ${why}` })
    expect(await node.eventsOf('bad')).toEqual([`Warning SysctlForbidden ${why}`])
    await node.run('good', wants('net.core.somaxconn'))
    await node.untilPod('good', 'runs', isRunning)
  })

  test('is asked about again when the agent comes back', async () => {
    await using node = await TestNode.start()
    await node.stopAgent()
    await node.run('sly', wants('vm.stat_interval'))
    await node.setStatus('sly', { phase: 'Running', startTime: '2026-01-01T00:00:00Z' })
    await node.startAgent()
    const { status } = await node.untilPod('sly', 'is refused', hasFailed)
    expect(status!.reason).toBe('SysctlForbidden')
    expect(node.runtime.done).toEqual([])
  })
})

test('limits of memory are refused where the kernel keeps none', async () => {
  await using node = await TestNode.start({ machine: { hasMemoryCgroup: false } })
  const limited = { name: 'web', image: 'web:1', resources: { limits: { memory: '64Mi' } } }
  await node.run('limited', { containers: [limited] })
  const { status } = await node.untilPod('limited', 'is refused', hasFailed)
  expect(status!.reason).toBe('MemoryLimitsUnsupported')
  expect(status!.message).toContain('cgroup_enable=memory')
  await node.run('free', { containers: [{ name: 'web', image: 'web:1' }] })
  await node.untilPod('free', 'runs', isRunning)
})
