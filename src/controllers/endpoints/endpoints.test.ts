import { describe, expect, test } from 'bun:test'
import { TestCluster } from '../../../test/support/cluster.ts'
import { endpoints } from '../../api/kinds/core/endpoints/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { services } from '../../api/kinds/core/service/row.ts'
import { endpointSlices } from '../../api/kinds/discovery/endpointslice/row.ts'
import type { Endpoint, EndpointSlice, Pod, Service } from '../../api/schema/generated/types.ts'
import { endpointsController } from './endpoints.ts'
import { endpointSliceController } from './endpointslice.ts'
import { endpointSliceMirroringController } from './mirroring.ts'
import { ENDPOINTS_MAX, type Group, planSlices } from './slice-plan.ts'
import { planSubsets } from './subsets.ts'

const NAME = 'kubernetes.io/service-name'

async function aCluster(): Promise<TestCluster> {
  const controllers = [
    endpointsController(),
    endpointSliceController(),
    endpointSliceMirroringController,
  ]
  const cluster = await TestCluster.start({ controllers })
  const labels = { 'topology.kubernetes.io/zone': 'cellar' }
  await cluster.create(nodes, { metadata: { name: 'node-a', labels }, spec: {} })
  return cluster
}

function aService(name: string, spec: Partial<Service['spec']> = {}): Service {
  const ports = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }]
  return {
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { selector: { app: name }, ports, ...spec },
  }
}

async function addPod(cluster: TestCluster, name: string, more: Partial<Pod['spec']> = {}) {
  const containers = [{ name: 'c', image: 'pause' }]
  const metadata = { name, namespace: 'default', labels: { app: 'web' } }
  return cluster.create(pods, { metadata, spec: { nodeName: 'node-a', containers, ...more } })
}

const slicesOf = async (cluster: TestCluster, service: string) =>
  (await cluster.list(endpointSlices, 'default')).filter(
    ({ metadata }) => metadata.labels?.[NAME] === service,
  )

describe('a Service with a selector', () => {
  test('has one empty slice and empty Endpoints until pods are there', async () => {
    await using cluster = await aCluster()
    const service = await cluster.create(services, aService('web'))
    const [slice, ...others] = await slicesOf(cluster, 'web')
    expect(others).toEqual([])
    expect(slice).toMatchObject({ addressType: 'IPv4', endpoints: null, ports: null })
    expect(slice!.metadata.labels).toEqual({
      app: 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      [NAME]: 'web',
    })
    expect(slice!.metadata.name).toMatch(/^web-[a-z0-9]{5}$/)
    expect(slice!.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: 'web',
        uid: service.metadata.uid!,
        controller: true,
        blockOwnerDeletion: true,
      },
    ])
    const object = await cluster.get(endpoints, 'web')
    expect(object!.subsets).toBeUndefined()
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('shows its pods, ready and not, and where they run', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web'))
    const ready = await addPod(cluster, 'ready')
    await cluster.runPod(ready, 'node-a', '10.42.0.7')
    const waiting = await addPod(cluster, 'waiting')
    const status = { phase: 'Running', podIP: '10.42.0.8', podIPs: [{ ip: '10.42.0.8' }] }
    await cluster.client.updateStatus(pods, { ...waiting, status }, cluster.signal)
    await cluster.settle()

    const [slice] = await slicesOf(cluster, 'web')
    expect(slice!.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }])
    const target = ({ metadata: { name = '', uid = '' } }: Pod) => {
      return { kind: 'Pod', namespace: 'default', name, uid }
    }
    const at = { nodeName: 'node-a', zone: 'cellar' }
    expect(slice!.endpoints).toEqual([
      {
        addresses: ['10.42.0.7'],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: target(ready),
        ...at,
      },
      {
        addresses: ['10.42.0.8'],
        conditions: { ready: false, serving: false, terminating: false },
        targetRef: target(waiting),
        ...at,
      },
    ])
    const object = await cluster.get(endpoints, 'web')
    const nodeName = 'node-a'
    expect(object!.subsets).toEqual([
      {
        addresses: [{ ip: '10.42.0.7', nodeName, targetRef: target(ready) }],
        notReadyAddresses: [{ ip: '10.42.0.8', nodeName, targetRef: target(waiting) }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('says when the change happened that it shows', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web'))
    const pod = await addPod(cluster, 'a')
    await cluster.advance(5000)
    await cluster.runPod(pod)
    await cluster.settle()
    const told = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:05Z' }
    expect((await cluster.get(endpoints, 'web'))!.metadata.annotations).toEqual(told)
    expect((await slicesOf(cluster, 'web'))[0]!.metadata.annotations).toEqual(told)
  })

  test('shows a terminating pod as such in slices, and not at all in Endpoints', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web'))
    await cluster.runPod(await addPod(cluster, 'a'))
    await cluster.remove(pods, 'a', { gracePeriodSeconds: 30 })
    const [slice] = await slicesOf(cluster, 'web')
    expect(slice!.endpoints![0]!.conditions).toEqual({
      ready: false,
      serving: true,
      terminating: true,
    })
    expect((await cluster.get(endpoints, 'web'))!.subsets).toBeUndefined()
    await cluster.remove(pods, 'a', { gracePeriodSeconds: 0 })
    expect((await slicesOf(cluster, 'web'))[0]!.endpoints).toBeNull()
  })

  test('is marked headless when it is, and gives pods the names they ask for', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web', { clusterIP: 'None' }))
    await cluster.runPod(await addPod(cluster, 'a', { hostname: 'first', subdomain: 'web' }))
    await cluster.settle()
    const [slice] = await slicesOf(cluster, 'web')
    expect(slice!.metadata.labels).toMatchObject({ 'service.kubernetes.io/headless': '' })
    expect(slice!.endpoints![0]!.hostname).toBe('first')
    const object = await cluster.get(endpoints, 'web')
    expect(object!.metadata.labels).toMatchObject({ 'service.kubernetes.io/headless': '' })
    expect(object!.subsets![0]!.addresses![0]!.hostname).toBe('first')
  })

  test('takes its Endpoints with it', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web'))
    await cluster.remove(services, 'web')
    expect(await cluster.get(endpoints, 'web')).toBeUndefined()
  })

  test('follows a pod whose labels change', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, aService('web'))
    await cluster.runPod(await addPod(cluster, 'a'))
    await cluster.change(pods, 'a', ({ metadata }) => (metadata.labels = { app: 'other' }))
    expect((await slicesOf(cluster, 'web'))[0]!.endpoints).toBeNull()
  })
})

describe('a Service without a selector', () => {
  const external = aService('db', { ports: [{ port: 5432 }] })
  delete external.spec.selector

  test('gets slices from Endpoints that people write, and nothing from us', async () => {
    await using cluster = await aCluster()
    await cluster.create(services, external)
    expect(await slicesOf(cluster, 'db')).toEqual([])
    const metadata = { name: 'db', namespace: 'default', labels: { by: 'hand' } }
    const subsets = [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 5432 }] }]
    const object = await cluster.create(endpoints, { metadata, subsets })
    const [slice] = await slicesOf(cluster, 'db')
    expect(slice).toMatchObject({
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.9'], conditions: { ready: true } }],
      ports: [{ name: '', port: 5432, protocol: 'TCP' }],
    })
    expect(slice!.metadata.labels).toEqual({
      by: 'hand',
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      [NAME]: 'db',
    })
    expect(slice!.metadata.ownerReferences![0]).toMatchObject({
      kind: 'Endpoints',
      uid: object.metadata.uid,
    })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    await cluster.change(endpoints, 'db', ({ metadata }) => {
      metadata.labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' }
    })
    expect(await slicesOf(cluster, 'db')).toEqual([])
  })
})

describe('planSlices', () => {
  const metadata = { generateName: 'web-', namespace: 'default', labels: { app: 'web' } }
  const ports = [{ name: '', port: 80, protocol: 'TCP' }]
  const endpoint = (i: number): Endpoint => ({
    addresses: [`10.0.${Math.floor(i / 250)}.${i % 250}`],
    conditions: { ready: true },
  })
  const group = (count: number, from = 0): Group => {
    const endpoints = Array.from({ length: count }, (_, i) => endpoint(i + from))
    return { addressType: 'IPv4', ports, endpoints }
  }
  /** What would be stored after the plan. */
  function applied(existing: EndpointSlice[], groups: Group[]) {
    const plan = planSlices({ groups, existing, metadata })
    const updated = new Map(plan.update.map((slice) => [slice.metadata.name, slice]))
    const kept = existing
      .filter((slice) => !plan.remove.includes(slice))
      .map((slice) => updated.get(slice.metadata.name) ?? slice)
    const created = plan.create.map((slice, i) => {
      return { ...slice, metadata: { ...slice.metadata, name: `new-${existing.length + i}` } }
    })
    const writes = plan.create.length + plan.update.length + plan.remove.length
    return { slices: [...kept, ...created], writes }
  }
  const addressesOf = (slices: EndpointSlice[]) =>
    slices.flatMap(({ endpoints = [] }) => endpoints.map(({ addresses }) => addresses[0]!))

  test('holds every endpoint once, whatever came before, and then rests', () => {
    for (const first of [0, 1, 99, 100, 101, 250]) {
      for (const second of [0, 1, 99, 100, 101, 250]) {
        for (const from of [0, 50, 500]) {
          const before = applied([], [group(first)]).slices
          const { slices } = applied(before, [group(second, from)])
          const wanted = group(second, from).endpoints.map(({ addresses }) => addresses[0]!)
          expect(addressesOf(slices).toSorted()).toEqual(wanted.toSorted())
          expect(slices.every(({ endpoints = [] }) => endpoints.length <= ENDPOINTS_MAX)).toBe(true)
          expect(slices.length).toBeGreaterThan(0)
          expect(applied(slices, [group(second, from)]).writes).toBe(0)
        }
      }
    }
  })

  test('changes one slice for one more endpoint', () => {
    const before = applied([], [group(150)]).slices
    expect(before.map(({ endpoints = [] }) => endpoints.length)).toEqual([100, 50])
    expect(applied(before, [group(151)]).writes).toBe(1)
  })

  test('turns a slice of old ports into one of new ports with one write', () => {
    const before = applied([], [group(3)]).slices
    const other = { ...group(3), ports: [{ name: '', port: 81, protocol: 'TCP' }] }
    const { slices, writes } = applied(before, [other])
    expect(writes).toBe(1)
    expect(slices[0]!.ports).toEqual(other.ports)
  })

  test('writes every slice anew when the labels of the Service change', () => {
    const before = applied([], [group(150)]).slices
    const relabelled = before.map((slice) => {
      return { ...slice, metadata: { ...slice.metadata, labels: { app: 'old' } } }
    })
    expect(applied(relabelled, [group(150)]).writes).toBe(2)
  })
})

describe('planSubsets', () => {
  const pod = (name: string, ip: string, portNumber: number): Pod => ({
    metadata: { name, namespace: 'default', uid: name },
    spec: {
      containers: [{ name: 'c', ports: [{ name: 'named', containerPort: portNumber }] }],
    },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  })

  test('keeps pods apart whose port of one name has another number', () => {
    const service = aService('web', { ports: [{ port: 80, targetPort: 'named' }] })
    const subsets = planSubsets(service, [pod('a', '10.0.0.1', 1), pod('b', '10.0.0.2', 2)])
    expect(subsets.map(({ ports, addresses }) => [addresses![0]!.ip, ports![0]!.port])).toEqual([
      ['10.0.0.1', 1],
      ['10.0.0.2', 2],
    ])
  })

  test('lists ports that reach the same pods once', () => {
    const ports = [
      { name: 'a', port: 80, targetPort: 8080 },
      { name: 'b', port: 81, targetPort: 8081 },
    ]
    const subsets = planSubsets(aService('web', { ports }), [pod('a', '10.0.0.1', 1)])
    expect(subsets).toHaveLength(1)
    expect(subsets[0]!.ports!.map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('sorts addresses as numbers', () => {
    const all = ['10.0.0.10', '10.0.0.9'].map((ip, i) => pod(`p${i}`, ip, 1))
    const [subset] = planSubsets(aService('web'), all)
    expect(subset!.addresses!.map(({ ip }) => ip)).toEqual(['10.0.0.9', '10.0.0.10'])
  })
})
