import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { deployments } from '../../api/kinds/apps/deployment/row.ts'
import { replicaSets } from '../../api/kinds/apps/replicaset/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { replicationControllers } from '../../api/kinds/core/replicationcontroller/row.ts'
import { events } from '../../api/kinds/events/event/row.ts'
import type { KubeObject } from '../../api/object.ts'
import type { ResourceRow } from '../../api/resource.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { formatTime } from '../../api/time.ts'
import { deploymentController } from './deployment.ts'
import { planReplacement } from './replacement.ts'
import { replicaSetController } from './replicaset.ts'
import { replicationControllerController } from './replicationcontroller.ts'

const aFailed = (madeMs: number, failedMs = madeMs, phase = 'Failed') =>
  ({
    metadata: { name: `p${madeMs}`, creationTimestamp: formatTime(madeMs) },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: formatTime(failedMs) }],
    },
  }) as unknown as Pod

describe('failed pods', () => {
  const MINUTE = 60_000
  const rounds = (times: number[]) =>
    planReplacement(
      times.map((ms) => aFailed(ms)),
      0,
    ).rounds
  const waitMs = (made: Pod[], nowMs: number) => planReplacement(made, nowMs).waitMs

  test('are waited for longer each time, up to five minutes', () => {
    const waits = Array.from({ length: 12 }, (_, i) => {
      const made = Array.from({ length: i + 1 }, (_, at) => aFailed(at * 1000))
      return waitMs(made, i * 1000) / 1000
    })
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
    expect(waitMs([aFailed(0), aFailed(1000)], 2500)).toBe(500)
    expect(waitMs([aFailed(0), aFailed(1000)], 99_000)).toBe(0)
  })

  test('count once when they were made together', () => {
    expect(rounds([0, 0, 0, 0])).toBe(1)
    expect(rounds([0, 0, 5000, 5000, 5000])).toBe(2)
  })

  test('count no more once others were well for ten minutes', () => {
    expect(rounds([0, 1000, 2000, 12 * MINUTE])).toBe(1)
    expect(planReplacement([aFailed(0), aFailed(0, 11 * MINUTE)], 11 * MINUTE).rounds).toBe(0)
    expect(planReplacement([aFailed(0, 1000, 'Succeeded')], 1000).waitMs).toBe(0)
  })

  test('hold nothing up for years when the clock jumps back', () => {
    expect(waitMs([aFailed(1_000_000_000)], 0)).toBe(1000)
  })
})

const labels = { app: 'web' }
const template = {
  metadata: { labels },
  spec: { nodeName: 'a', containers: [{ name: 'c', image: 'i' }] },
}
const metadata = { name: 'web', namespace: 'default' }
const selector = { matchLabels: labels }
const KINDS: [name: string, row: ResourceRow<KubeObject>, spec: object][] = [
  ['ReplicaSet', replicaSets as never, { replicas: 2, selector, template }],
  [
    'ReplicationController',
    replicationControllers as never,
    { replicas: 2, selector: labels, template },
  ],
  ['Deployment', deployments as never, { replicas: 2, selector, template }],
]

for (const [kind, row, spec] of KINDS) {
  test(`a ${kind} whose pods a node refuses makes new ones ever more slowly, and says so`, async () => {
    const controllers = [
      replicaSetController,
      deploymentController,
      replicationControllerController,
    ]
    await using cluster = await TestCluster.start({ controllers })
    await cluster.create(row, { metadata, spec } as unknown as KubeObject)
    const refuse = async () => {
      await cluster.settle()
      for (const pod of await cluster.list(pods)) {
        if (pod.status?.phase !== 'Pending') continue
        const status = { phase: 'Failed', reason: 'NodePorts', message: 'the port is taken' }
        await cluster.client.updateStatus(pods, { ...pod, status }, cluster.signal)
      }
      await cluster.settle()
    }
    const countAfter = async (ms: number) => {
      await cluster.advance(ms)
      await cluster.settle()
      return (await cluster.list(pods)).length
    }
    for (const [round, seconds] of [1, 2, 4, 8].entries()) {
      await refuse()
      const due = 2 * (round + 1)
      expect([round, await countAfter(seconds * 1000 - 900)]).toEqual([round, due])
      expect([round, await countAfter(1000)]).toEqual([round, due + 2])
    }
    await refuse()
    const told = (await cluster.list(events)).filter(
      ({ reason }) => reason === 'ReplacementBackOff',
    )
    const waits = told.map(({ message }) => {
      const form = /^Pod web-\S+ failed \(NodePorts\), (\d) times in a row: waiting (\d+)s before/
      return form
        .exec(message ?? '')
        ?.slice(1)
        .join(': ')
    })
    expect(waits.toSorted()).toEqual(['2: 2', '3: 4', '4: 8', '5: 16'])

    // Who mends the fault need not wait: the failed pods are the reason, and may be deleted.
    const { client, signal } = cluster
    await client.deleteCollection(pods, { namespace: 'default' }, { gracePeriodSeconds: 0 }, signal)
    await cluster.settle()
    expect((await cluster.list(pods)).map(({ status }) => status?.phase)).toEqual(
      Array(2).fill('Pending'),
    )
  })
}
