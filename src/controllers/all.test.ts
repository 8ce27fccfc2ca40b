import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../test/support/cluster.ts'
import { builtInRows } from '../api/kinds/all.ts'
import { deployments } from '../api/kinds/apps/deployment/row.ts'
import { replicaSets } from '../api/kinds/apps/replicaset/row.ts'
import { namespaces } from '../api/kinds/core/namespace/row.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import { pods } from '../api/kinds/core/pod/row.ts'
import { services } from '../api/kinds/core/service/row.ts'
import { endpointSlices } from '../api/kinds/discovery/endpointslice/row.ts'
import type { Deployment } from '../api/schema/generated/types.ts'
import { parseCidr } from '../lib/ip.ts'
import { allControllers } from './all.ts'
import { GarbageCollector } from './garbage/garbage-collector.ts'

const kinds = { rows: () => builtInRows, onChange: () => {} }

function aCluster(): Promise<TestCluster> {
  return TestCluster.start({
    controllers: allControllers({
      kinds,
      rootCa: () => 'PEM',
      signCsr: () => {
        throw new Error('nobody asks for a certificate here')
      },
      clusterCidrs: [parseCidr('10.42.0.0/16')!],
      serviceCidrs: [parseCidr('10.43.0.0/16')!],
    }),
    components: (deps) => {
      const client = deps.clientAs('generic-garbage-collector')
      return [new GarbageCollector({ ...deps, kinds, client })]
    },
  })
}

const web: Deployment = {
  metadata: { name: 'web', namespace: 'x' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { nodeName: 'a', containers: [{ name: 'c', image: 'pause' }] },
    },
  },
}

describe('all controllers together', () => {
  test('bring an application up, rest, and take it down again', async () => {
    await using cluster = await aCluster()
    await cluster.create(nodes, { metadata: { name: 'a' }, spec: {} })
    await cluster.create(namespaces, { metadata: { name: 'x' }, spec: {} })
    const ports = [{ port: 80, targetPort: 8080 }]
    const spec = { selector: { app: 'web' }, ports }
    await cluster.create(services, { metadata: { name: 'web', namespace: 'x' }, spec })
    await cluster.create(deployments, web)
    await cluster.runPods()
    const where = { namespace: 'x', name: 'web' }
    const { status } = await cluster.client.get(deployments, where, cluster.signal)
    expect(status).toMatchObject({ availableReplicas: 3, updatedReplicas: 3 })
    const [slice] = await cluster.list(endpointSlices, 'x')
    expect(slice!.endpoints).toHaveLength(3)
    expect(await cluster.writesOfOneMorePass()).toEqual([])

    await cluster.client.delete(
      deployments,
      where,
      { propagationPolicy: 'Foreground' },
      cluster.signal,
    )
    await cluster.runPods()
    // Who lost a race tries again a moment later.
    await cluster.advance(1000)
    expect(await cluster.list(deployments, 'x')).toEqual([])
    expect(await cluster.list(replicaSets, 'x')).toEqual([])
    expect(await cluster.list(pods, 'x')).toEqual([])
    await cluster.remove(namespaces, 'x')
    expect(await cluster.get(namespaces, 'x')).toBeUndefined()
    expect(await cluster.list(endpointSlices, 'x')).toEqual([])
    expect(cluster.warnings).toEqual([])
  })

  test('ask nothing of the server while nothing happens', async () => {
    await using cluster = await aCluster()
    await cluster.settle()
    const before = cluster.requestCount
    await cluster.clock.advance(2 * 3600 * 1000)
    await cluster.settle()
    expect(cluster.requestCount - before).toBe(0)
  })
})
