import { describe, expect, test } from 'bun:test'
import { aNode, aPod, asking, testPlugins } from '../../test/support/scheduling.ts'
import type { Node, Pod, PodSpec } from '../api/schema/generated/types.ts'
import { Cluster } from './cluster.ts'
import { placePod } from './place.ts'
import { requestsOf } from './requests.ts'

function place(pod: Pod, nodes: Node[], running: [Pod, string][] = []) {
  const cluster = new Cluster()
  for (const node of nodes) cluster.setNode(node)
  for (const [other, nodeName] of running) cluster.setPod(other, nodeName)
  return placePod(pod, cluster, { plugins: testPlugins(), dice: () => 0 })
}

function why(pod: Pod, nodes: Node[], running: [Pod, string][] = []): string {
  const placement = place(pod, nodes, running)
  return placement.ok ? placement.nodeName : placement.message.split('. no new')[0]!
}

describe('placePod', () => {
  test('prefers the node with more room', () => {
    const running: [Pod, string][] = [[aPod(asking('1500m')), 'a']]
    expect(why(aPod(asking('100m')), [aNode('a'), aNode('b')], running)).toBe('b')
  })

  test('says that there are no nodes', () => {
    expect(why(aPod(), [])).toBe('no nodes available to schedule pods')
  })

  test('counts reasons as kube-scheduler does', () => {
    const tainted = aNode('b', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })
    expect(place(aPod(asking('100', '1000Gi')), [aNode('a'), tainted])).toMatchObject({
      ok: false,
      message:
        '0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, ' +
        '1 node(s) had untolerated taint(s). no new claims to deallocate, ' +
        'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    })
  })

  test('tells a full node, where others might make room, from one that is too small', () => {
    const running: [Pod, string][] = [[aPod(asking('1500m')), 'a']]
    const full = place(aPod(asking('1')), [aNode('a')], running)
    expect(full).toMatchObject({ message: expect.stringContaining('1 No preemption victims') })
    const small = place(aPod(asking('3')), [aNode('a')], running)
    expect(small).toMatchObject({ message: expect.stringContaining('1 Preemption is not helpful') })
  })

  test('keeps to cordons, taints, selectors, names, ports and counts', () => {
    const cordoned = aNode('a', { spec: { unschedulable: true } })
    expect(why(aPod(), [cordoned])).toContain('1 node(s) were unschedulable')
    const operator = 'Exists'
    expect(why(aPod({ tolerations: [{ operator }] }), [cordoned])).toBe('a')
    expect(why(aPod({ nodeSelector: { x: 'y' } }), [aNode('a')])).toContain(
      "1 node(s) didn't match Pod's node affinity/selector",
    )
    expect(why(aPod({ nodeSelector: { x: 'y' } }), [aNode('a', { labels: { x: 'y' } })])).toBe('a')
    const port = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] }
    expect(why(aPod(port), [aNode('a')], [[aPod(port), 'a']])).toContain(
      "1 node(s) didn't have free ports for the requested pod ports",
    )
    const three = [aPod(), aPod(), aPod()].map((pod): [Pod, string] => [pod, 'a'])
    expect(why(aPod(), [aNode('a')], three)).toContain('1 Too many pods')
  })

  test('keeps to nodes that declare the features that a pod needs', () => {
    const rule = { action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }
    const containers = [{ name: 'c', image: 'i', restartPolicyRules: [rule] }]
    expect(why(aPod({ containers }), [aNode('a')])).toContain(
      "1 node(s) didn't match Pod's required features",
    )
    const declaredFeatures = ['RestartAllContainersOnContainerExits']
    expect(
      why(aPod({ containers }), [aNode('a'), aNode('b', { status: { declaredFeatures } })]),
    ).toBe('b')
    expect(why(aPod({ hostNetwork: true, hostUsers: false }), [aNode('a')])).toContain('features')
    expect(why(aPod({ hostNetwork: true }), [aNode('a')])).toBe('a')
  })

  test('keeps pods apart that would write to one disk', () => {
    const sharing = (volume: object): Partial<PodSpec> => ({ volumes: [{ name: 'v', ...volume }] })
    const refused = '1 node(s) had no available disk'
    const cases: [object, boolean][] = [
      [{ gcePersistentDisk: { pdName: 'x' } }, true],
      [{ gcePersistentDisk: { pdName: 'x', readOnly: true } }, false],
      [{ awsElasticBlockStore: { volumeID: 'x', readOnly: true } }, true],
      [{ iscsi: { iqn: 'x', lun: 0, targetPortal: 'y' } }, true],
      [{ iscsi: { iqn: 'x', lun: 0, targetPortal: 'y', readOnly: true } }, false],
      [{ rbd: { monitors: ['m', 'n'], pool: 'p', image: 'i' } }, true],
      [{ rbd: { monitors: ['m', 'n'], pool: 'p', image: 'i', readOnly: true } }, false],
      [{ emptyDir: {} }, false],
    ]
    for (const [volume, isRefused] of cases) {
      const said = why(aPod(sharing(volume)), [aNode('a')], [[aPod(sharing(volume)), 'a']])
      expect([volume, said.includes(refused)]).toEqual([volume, isRefused])
    }
    const other = { rbd: { monitors: ['o'], pool: 'p', image: 'i' } }
    expect(why(aPod(sharing(other)), [aNode('a')], [[aPod(sharing(cases[5]![0])), 'a']])).toBe('a')
  })

  test('matches node affinity by expression and by field', () => {
    const required = (term: object): Partial<PodSpec> => ({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
        },
      },
    })
    const nodes = [aNode('a', { labels: { n: '5' } }), aNode('b')]
    const above4 = { matchExpressions: [{ key: 'n', operator: 'Gt', values: ['4'] }] }
    expect(why(aPod(required(above4)), nodes)).toBe('a')
    const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }
    expect(why(aPod(required(byName)), nodes)).toBe('b')
    expect(why(aPod(required({})), nodes)).toContain("2 node(s) didn't match Pod's node affinity")
  })

  test('keeps pods apart and together by affinity', () => {
    const term = {
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: { a: 'b' } },
    }
    const list = { requiredDuringSchedulingIgnoredDuringExecution: [term] }
    const nodes = [aNode('x'), aNode('y')]
    const running: [Pod, string][] = [[aPod({}, { a: 'b' }), 'x']]
    expect(why(aPod({ affinity: { podAffinity: list } }), nodes, running)).toBe('x')
    expect(why(aPod({ affinity: { podAntiAffinity: list } }), nodes, running)).toBe('y')
    expect(why(aPod({ affinity: { podAffinity: list } }), nodes)).toContain(
      "2 node(s) didn't match pod affinity rules",
    )
    expect(place(aPod({ affinity: { podAffinity: list } }, { a: 'b' }), nodes).ok).toBe(true)
    const shy: [Pod, string][] = [[aPod({ affinity: { podAntiAffinity: list } }), 'x']]
    expect(why(aPod({}, { a: 'b' }), nodes, shy)).toBe('y')
  })

  test('spreads by topology', () => {
    const topologySpreadConstraints = [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { a: 'b' } },
      },
    ]
    const pod = aPod({ topologySpreadConstraints }, { a: 'b' })
    const running: [Pod, string][] = [[aPod({}, { a: 'b' }), 'x']]
    expect(why(pod, [aNode('x'), aNode('y')], running)).toBe('y')
    const elsewhere = { ...topologySpreadConstraints[0]!, topologyKey: 'zone' }
    expect(why(aPod({ topologySpreadConstraints: [elsewhere] }), [aNode('x')])).toContain(
      "didn't match pod topology spread constraints (missing required label)",
    )
  })
})

describe('requestsOf', () => {
  const container = (cpu: string, more: object = {}) => ({
    name: cpu,
    resources: { requests: { cpu } },
    ...more,
  })

  test('takes the larger of the regular containers and each init container', () => {
    const spec = { containers: [container('1'), container('1')], initContainers: [container('3')] }
    expect(requestsOf(aPod(spec)).get('cpu')).toBe(3000)
  })

  test('counts sidecars beside what starts after them', () => {
    const sidecar = container('500m', { restartPolicy: 'Always' })
    const spec = { containers: [container('1')], initContainers: [sidecar, container('2')] }
    expect(requestsOf(aPod(spec)).get('cpu')).toBe(2500)
  })

  test('adds overhead and lets the pod speak for all', () => {
    const spec = {
      containers: [container('1')],
      resources: { requests: { cpu: '4' } },
      overhead: { cpu: '250m' },
    }
    expect(requestsOf(aPod(spec)).get('cpu')).toBe(4250)
  })

  test('counts a resize until it is over', () => {
    const pod = (status: object): Pod => {
      const containerStatuses = [{ name: '1', ...status }]
      return { ...aPod({ containers: [container('1')] }), status: { containerStatuses } as object }
    }
    const has = (cpu: string) => ({ resources: { requests: { cpu } } })
    expect(requestsOf(pod({})).get('cpu')).toBe(1000)
    expect(requestsOf(pod(has('2'))).get('cpu')).toBe(2000)
    expect(requestsOf(pod(has('500m'))).get('cpu')).toBe(1000)
    const granted = pod({ ...has('500m'), allocatedResources: { cpu: '3' } })
    expect(requestsOf(granted).get('cpu')).toBe(3000)
    const never = pod(has('500m'))
    const conditions = [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }]
    never.status = { ...never.status, conditions }
    expect(requestsOf(never).get('cpu')).toBe(500)
  })
})
