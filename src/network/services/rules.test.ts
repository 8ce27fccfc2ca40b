import { describe, expect, test } from 'bun:test'
import type { EndpointSlice, Service } from '../../api/schema/generated/types.ts'
import { planStaleFlows } from './flows.ts'
import { planRules, type Ruleset } from './rules.ts'
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

function rules(service: Service, endpoints: EndpointAt[], previous?: Ruleset): Ruleset {
  const snapshot = { services: [service], slices: [aSlice(endpoints)], nodeName: 'here' }
  return planRules(snapshot, previous)
}

const of = (ruleset: Ruleset, map: string) => Object.fromEntries(ruleset.elements.get(map) ?? [])

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
      expect([...rules(aService(spec), [{ ip: '10.42.0.2' }]).elements]).toEqual([])
    }
  })

  test('keeps the number of a sticky port when others come and go', () => {
    const sticky = (name: string, clusterIP: string) =>
      aService({ sessionAffinity: 'ClientIP', clusterIP }, name)
    const both = [sticky('a', '10.43.0.1'), sticky('b', '10.43.0.2')]
    const slices = ['a', 'b'].map((name) => aSlice([{ ip: '10.42.0.2' }], name))
    const first = planRules({ services: both, slices, nodeName: 'here' })
    const second = planRules({ services: both.slice(1), slices, nodeName: 'here' }, first)
    expect(of(first, 'sticky')['10.43.0.2 . tcp . 80']).toBe('0x00020000')
    expect(of(second, 'sticky')).toEqual({ '10.43.0.2 . tcp . 80': '0x00020000' })
    expect(of(second, 'lifetime')).toEqual({ '0x00020000': 'goto learn10800' })
  })
})

describe('planScript', () => {
  const one = rules(aService(), [{ ip: '10.42.0.2' }])

  test('says nothing when nothing changed', () => {
    expect(planScript(one, rules(aService(), [{ ip: '10.42.0.2' }], one))).toBe('')
  })

  test('writes only the elements that changed', () => {
    const moved = rules(aService(), [{ ip: '10.42.0.3' }], one)
    expect(planScript(one, moved).trim().split('\n')).toEqual([
      'delete element inet kedge own { 10.42.0.2 . 10.42.0.2 }',
      'delete element inet kedge endpoint1 { 10.43.0.5 . tcp . 80 . 0 }',
      'add element inet kedge own { 10.42.0.3 . 10.42.0.3 }',
      'add element inet kedge endpoint1 { 10.43.0.5 . tcp . 80 . 0 : 10.42.0.3 . 8080 }',
    ])
  })

  test('makes a chain once, even when its count is left and comes back', () => {
    const none = rules(aService(), [], one)
    const again = rules(aService(), [{ ip: '10.42.0.2' }], none)
    expect(planScript(none, again)).not.toContain('add chain')
  })

  test('replaces the whole table in one transaction', () => {
    const script = planTable(one, { pods: '10.42.0.0/16', services: '10.43.0.0/16' })
    expect(script.split('\n').slice(0, 3)).toEqual([
      'add table inet kedge',
      'delete table inet kedge',
      'add table inet kedge',
    ])
  })
})

describe('planStaleFlows', () => {
  test('forgets UDP flows to endpoints that are gone', () => {
    const udp = aService({ ports: [{ port: 53, protocol: 'UDP' }] })
    const before = rules(udp, [{ ip: '10.42.0.2' }, { ip: '10.42.0.3' }])
    const after = rules(udp, [{ ip: '10.42.0.3' }], before)
    expect(planStaleFlows(before, after).map((argv) => argv.slice(6))).toEqual([
      ['--orig-dst', '10.43.0.5', '--orig-port-dst', '53', '--dst-nat', '10.42.0.2'],
    ])
    expect(planStaleFlows(after, after)).toEqual([])
  })
})
