import { describe, expect, test } from 'bun:test'
import type { EndpointSlice, Service } from '../../api/schema/generated/types.ts'
import { type TableContent, tableContent } from './elements.ts'
import { planRules, type ServiceRules, translationsOf } from './rules.ts'
import { planScript, planTable } from './script.ts'

type ServiceSpec = NonNullable<Service['spec']>

function aService(spec: ServiceSpec = {}, name = 'web'): Service {
  return {
    metadata: { name, namespace: 'default' },
    spec: { clusterIP: '10.43.0.5', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  }
}

type Conditions = { ready?: boolean; serving?: boolean; terminating?: boolean }
type EndpointAt = { ip: string; node?: string; conditions?: Conditions }

function aSlice(endpoints: EndpointAt[], name = 'web'): EndpointSlice {
  return {
    metadata: {
      name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(({ ip, node = 'here', conditions = { ready: true } }) => ({
      addresses: [ip],
      nodeName: node,
      conditions,
    })),
  }
}

/** A plan, and how it stands in the kernel. */
type Ruleset = { plan: ServiceRules; content: TableContent }

function rulesOf(services: Service[], slices: EndpointSlice[], previous?: Ruleset): Ruleset {
  const plan = planRules({ services, slices, nodeName: 'here' }, previous?.plan)
  return { plan, content: tableContent(plan, previous?.content) }
}

function rules(service: Service, endpoints: EndpointAt[], previous?: Ruleset): Ruleset {
  return rulesOf([service], [aSlice(endpoints)], previous)
}

const of = ({ content }: Ruleset, map: string) =>
  Object.fromEntries(content.elements.get(map) ?? [])

describe('planRules', () => {
  test('numbers the endpoints of a cluster address', () => {
    const plan = rules(aService(), [{ ip: '10.42.1.2' }, { ip: '10.42.0.9', node: 'there' }])
    expect(of(plan, 'service')).toEqual({ '10.43.0.5 . tcp . 80': 'goto s2' })
    expect(of(plan, 'endpoint2')).toEqual({
      '10.43.0.5 . tcp . 80 . 0': '10.42.0.9 . 8080',
      '10.43.0.5 . tcp . 80 . 1': '10.42.1.2 . 8080',
    })
    expect(of(plan, 'own')).toEqual({ '10.42.1.2 . 10.42.1.2': '' })
  })

  test('refuses connections to a Service without endpoints', () => {
    const plan = rules(aService({ ports: [{ port: 80, nodePort: 30080 }] }), [])
    expect(of(plan, 'refused')).toEqual({ '10.43.0.5 . tcp . 80': 'goto refuse' })
    expect(of(plan, 'refused_nodeport')).toEqual({ 'tcp . 30080': 'goto refuse' })
    expect(of(plan, 'service')).toEqual({})
  })

  test('leaves out endpoints that are not ready', () => {
    const waiting = { ip: '10.42.0.3', conditions: { ready: false, serving: false } }
    const plan = rules(aService(), [{ ip: '10.42.0.2' }, waiting])
    expect(of(plan, 'endpoint1')).toEqual({ '10.43.0.5 . tcp . 80 . 0': '10.42.0.2 . 8080' })
  })

  test('uses those that terminate only when nothing else serves', () => {
    const leaving = {
      ip: '10.42.0.3',
      conditions: { ready: false, serving: true, terminating: true },
    }
    expect(of(rules(aService(), [leaving]), 'service')).toEqual({
      '10.43.0.5 . tcp . 80': 'goto s1',
    })
    const both = rules(aService(), [leaving, { ip: '10.42.0.2' }])
    expect(of(both, 'endpoint1')).toEqual({ '10.43.0.5 . tcp . 80 . 0': '10.42.0.2 . 8080' })
  })

  test('keeps traffic on the node when the policy says so, and drops it when nothing is here', () => {
    const spec = { internalTrafficPolicy: 'Local' }
    const mixed = rules(aService(spec), [{ ip: '10.42.0.2' }, { ip: '10.42.1.2', node: 'there' }])
    expect(of(mixed, 'endpoint1')).toEqual({ '10.43.0.5 . tcp . 80 . 0': '10.42.0.2 . 8080' })
    const away = rules(aService(spec), [{ ip: '10.42.1.2', node: 'there' }])
    expect(of(away, 'refused')).toEqual({ '10.43.0.5 . tcp . 80': 'drop' })
  })

  test('shows outsiders only local endpoints under externalTrafficPolicy Local', () => {
    const spec = { externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] }
    const plan = rules(aService(spec), [{ ip: '10.42.0.2' }, { ip: '10.42.1.2', node: 'there' }])
    expect(of(plan, 'nodeport')).toEqual({ 'tcp . 30080': 'goto l1' })
    expect(of(plan, 'nodeport_inside')).toEqual({ 'tcp . 30080': 'goto p2' })
    const away = rules(aService(spec), [{ ip: '10.42.1.2', node: 'there' }])
    expect(of(away, 'refused_nodeport_outside')).toEqual({ 'tcp . 30080': 'drop' })
  })

  test('programs nothing for headless and external names', () => {
    for (const spec of [{ clusterIP: 'None' }, { type: 'ExternalName' }]) {
      expect([...rules(aService(spec), [{ ip: '10.42.0.2' }]).content.elements]).toEqual([])
    }
  })

  test('keeps the number of a sticky port when others come and go', () => {
    const sticky = (name: string, clusterIP: string) =>
      aService({ sessionAffinity: 'ClientIP', clusterIP }, name)
    const both = [sticky('a', '10.43.0.1'), sticky('b', '10.43.0.2')]
    const slices = ['a', 'b'].map((name) => aSlice([{ ip: '10.42.0.2' }], name))
    const first = rulesOf(both, slices)
    const second = rulesOf(both.slice(1), slices, first)
    expect(of(first, 'sticky')['10.43.0.2 . tcp . 80']).toBe('0x00020000')
    expect(of(second, 'sticky')).toEqual({ '10.43.0.2 . tcp . 80': '0x00020000' })
    expect(of(second, 'lifetime')).toEqual({ '0x00020000': 'goto learn10800' })
  })
})

describe('a load balancer', () => {
  const at = (ip: string, more: object = {}) => ({
    ...aService({ type: 'LoadBalancer', ports: [{ port: 80 }], ...more }),
    status: { loadBalancer: { ingress: [{ ip }] } },
  })

  test('answers at its address, under the address of the node', () => {
    const plan = rules(at('203.0.113.9'), [{ ip: '10.42.0.2' }])
    expect(of(plan, 'service')['203.0.113.9 . tcp . 80']).toBe('goto x1')
    expect(of(plan, 'external_endpoint1')).toEqual({
      '203.0.113.9 . tcp . 80 . 0': '10.42.0.2 . 8080',
    })
  })

  test('shows outsiders only local endpoints when its policy says so', () => {
    const local = at('203.0.113.9', { externalTrafficPolicy: 'Local' })
    const plan = rules(local, [{ ip: '10.42.0.2' }, { ip: '10.42.1.2', node: 'there' }])
    expect(of(plan, 'service')['203.0.113.9 . tcp . 80']).toBe('goto s1')
    expect(of(plan, 'service_inside')).toEqual({ '203.0.113.9 . tcp . 80': 'goto x2' })
    const away = rules(local, [{ ip: '10.42.1.2', node: 'there' }])
    expect(of(away, 'refused_outside')).toEqual({ '203.0.113.9 . tcp . 80': 'drop' })
  })

  test('lets in only its sources, each range once', () => {
    const ranges = ['10.1.0.0/16', ' 10.0.0.0/8 ', '10.0.0.0/8', '192.168.1.7/24', 'fd00::/8']
    const plan = rules(at('203.0.113.9', { loadBalancerSourceRanges: ranges }), [])
    expect(of(plan, 'limited')).toEqual({ '203.0.113.9 . tcp . 80': '' })
    expect(Object.keys(of(plan, 'allowed'))).toEqual([
      '203.0.113.9 . tcp . 80 . 10.0.0.0/8',
      '203.0.113.9 . tcp . 80 . 192.168.1.0/24',
    ])
    const open = rules(at('203.0.113.9', { loadBalancerSourceRanges: ['0.0.0.0/0'] }), [])
    expect(of(open, 'limited')).toEqual({})
  })

  test('that is a proxy, or not of this kind of address, is left to others', () => {
    const ingress = [{ ip: '203.0.113.9', ipMode: 'Proxy' }, { ip: 'fd00::1' }, { hostname: 'lb' }]
    const service = { ...at('x'), status: { loadBalancer: { ingress } } }
    expect(Object.keys(of(rules(service, [{ ip: '10.42.0.2' }]), 'service'))).toEqual([
      '10.43.0.5 . tcp . 80',
    ])
  })

  test('never takes an address that was allocated to another', () => {
    const thief = { ...at('10.43.0.9'), metadata: { name: 'a', namespace: 'default' } }
    const owner = aService({ clusterIP: '10.43.0.9' }, 'b')
    const slices = [aSlice([{ ip: '10.42.0.2' }], 'a'), aSlice([{ ip: '10.42.0.3' }], 'b')]
    const plan = rulesOf([thief, owner], slices)
    expect(of(plan, 'service')['10.43.0.9 . tcp . 80']).toBe('goto s1')
    expect(of(plan, 'endpoint1')['10.43.0.9 . tcp . 80 . 0']).toBe('10.42.0.3 . 8080')
  })
})

describe('planScript', () => {
  const one = rules(aService(), [{ ip: '10.42.0.2' }])

  test('says nothing when nothing changed', () => {
    expect(planScript(one.content, rules(aService(), [{ ip: '10.42.0.2' }], one).content)).toBe('')
  })

  test('writes only the elements that changed', () => {
    const moved = rules(aService(), [{ ip: '10.42.0.3' }], one)
    expect(planScript(one.content, moved.content).trim().split('\n')).toEqual([
      'delete element inet kedge own { 10.42.0.2 . 10.42.0.2 }',
      'delete element inet kedge endpoint1 { 10.43.0.5 . tcp . 80 . 0 }',
      'add element inet kedge own { 10.42.0.3 . 10.42.0.3 }',
      'add element inet kedge endpoint1 { 10.43.0.5 . tcp . 80 . 0 : 10.42.0.3 . 8080 }',
    ])
  })

  test('makes a chain once, even when its count is left and comes back', () => {
    const none = rules(aService(), [], one)
    const again = rules(aService(), [{ ip: '10.42.0.2' }], none)
    expect(planScript(none.content, again.content)).not.toContain('add chain')
  })

  test('replaces the whole table in one transaction', () => {
    const script = planTable(one.content, { pods: '10.42.0.0/16', services: '10.43.0.0/16' })
    expect(script.split('\n').slice(0, 3)).toEqual([
      'add table inet kedge',
      'delete table inet kedge',
      'add table inet kedge',
    ])
  })
})

test('translations say every frontend with all who may answer there', () => {
  const ports = [{ port: 53, protocol: 'UDP', nodePort: 30053 }]
  const spec = { ports, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }
  const { plan } = rules(aService(spec), [{ ip: '10.42.0.2' }, { ip: '10.42.1.2', node: 'there' }])
  const here = { ip: '10.42.0.2', port: 8080 }
  expect(translationsOf(plan)).toEqual([
    { protocol: 'udp', address: '10.43.0.5', port: 53, backends: [here] },
    {
      protocol: 'udp',
      address: undefined,
      port: 30053,
      backends: [here, { ip: '10.42.1.2', port: 8080 }, here],
    },
  ])
  const none = rules(aService(spec), [])
  expect(translationsOf(none.plan).map(({ backends }) => backends)).toEqual([[], []])
})
