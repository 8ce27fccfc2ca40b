import { describe, expect, test } from 'bun:test'
import type { PersistentVolumeClaim, Pod, Service } from '../schema/generated/types.ts'
import { formatTime } from '../time.ts'
import { formatAmounts } from './amounts.ts'
import { chargeOf } from './charge.ts'
import { requirementsOf } from './scopes.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const core = (plural: string) => chargeOf({ group: '', plural })!
const cost = (plural: string, object: object, nowMs = NOW_MS) =>
  formatAmounts(core(plural).usage(object as never, nowMs))

describe('a pod', () => {
  const asks = { requests: { cpu: '100m', memory: '1Gi' }, limits: { cpu: '1' } }
  const pod: Pod = { metadata: {}, spec: { containers: [{ name: 'a', resources: asks }] } }
  const whole = {
    'count/pods': '1',
    cpu: '100m',
    'limits.cpu': '1',
    memory: '1Gi',
    pods: '1',
    'requests.cpu': '100m',
    'requests.memory': '1Gi',
  }

  test('costs what its containers ask for', () => {
    expect(cost('pods', pod)).toEqual(whole)
  })

  test('costs only its place once it has ended, or is overdue', () => {
    const bare = { 'count/pods': '1' }
    for (const phase of ['Succeeded', 'Failed']) {
      expect(cost('pods', { ...pod, status: { phase } })).toEqual(bare)
    }
    const going = {
      ...pod,
      metadata: { deletionTimestamp: formatTime(NOW_MS), deletionGracePeriodSeconds: 30 },
    }
    expect(cost('pods', going, NOW_MS + 30_000)).toEqual(whole)
    expect(cost('pods', going, NOW_MS + 30_001)).toEqual(bare)
  })

  test('costs the most of what it asks for, was given and has, while it is resized', () => {
    const status = {
      containerStatuses: [
        {
          name: 'a',
          allocatedResources: { cpu: '300m' },
          resources: { requests: { cpu: '200m' }, limits: { cpu: '2' } },
        },
      ],
    }
    expect(cost('pods', { ...pod, status })).toMatchObject({ cpu: '300m', 'limits.cpu': '2' })
    const conditions = [{ type: 'PodResizePending', reason: 'Infeasible' }]
    const large = structuredClone(pod)
    large.spec.containers[0]!.resources!.requests!['cpu'] = '9'
    const refused = { ...large, status: { ...status, conditions } }
    expect(cost('pods', refused)).toMatchObject({ cpu: '300m' })
    expect(cost('pods', { ...large, status })).toMatchObject({ cpu: '9' })
  })

  test('counts for huge pages and extended resources by their own names', () => {
    for (const name of ['hugepages-2Mi', 'requests.hugepages-1Gi', 'requests.example.com/gpu']) {
      expect([name, core('pods').countsFor(name)]).toEqual([name, true])
    }
    for (const name of [
      'example.com/gpu',
      'requests.storage',
      'services',
      'limits.example.com/gpu',
    ]) {
      expect([name, core('pods').countsFor(name)]).toEqual([name, false])
    }
  })

  test('is asked about when it is made, resized, or comes to end by itself', () => {
    const deadline: Pod = { ...pod, spec: { ...pod.spec, activeDeadlineSeconds: 5 } }
    const asked = (operation: string, subresource: string, object: Pod, old?: Pod) =>
      core('pods').isAsked({ operation, subresource, object, old })
    expect(asked('CREATE', '', pod)).toBe(true)
    expect(asked('CREATE', 'binding', pod)).toBe(false)
    expect(asked('UPDATE', '', pod, pod)).toBe(false)
    expect(asked('UPDATE', '', deadline, pod)).toBe(true)
    expect(asked('UPDATE', 'resize', pod, pod)).toBe(true)
    expect(asked('UPDATE', 'status', pod, pod)).toBe(false)
  })

  test('falls under the scopes that it meets', () => {
    const meets = (object: object, scopeName: string, operator = 'Exists', values?: string[]) =>
      core('pods').isInScope(object as never, { scopeName, operator, ...(values && { values }) })
    const best = { metadata: {}, spec: { containers: [{ name: 'a' }] } }
    expect([meets(best, 'BestEffort'), meets(pod, 'BestEffort')]).toEqual([true, false])
    expect([meets(best, 'NotBestEffort'), meets(pod, 'NotBestEffort')]).toEqual([false, true])
    const high = { ...pod, spec: { ...pod.spec, priorityClassName: 'high' } }
    const cases: [object, string, string[] | undefined, boolean][] = [
      [high, 'Exists', undefined, true],
      [high, 'DoesNotExist', undefined, false],
      [high, 'In', ['high', 'low'], true],
      [high, 'NotIn', ['high'], false],
      [pod, 'Exists', undefined, false],
      [pod, 'DoesNotExist', undefined, true],
      [pod, 'In', ['high'], false],
      [pod, 'NotIn', ['high'], true],
    ]
    for (const [object, operator, values, isMet] of cases) {
      expect(meets(object, 'PriorityClass', operator, values)).toBe(isMet)
    }
    expect(meets(pod, 'VolumeAttributesClass')).toBe(false)
  })
})

describe('a claim', () => {
  const claim: PersistentVolumeClaim = {
    metadata: {},
    spec: { storageClassName: 'gold', resources: { requests: { storage: '1500m' } } },
  }

  test('costs itself and its storage, in whole bytes, in all and of its class', () => {
    expect(cost('persistentvolumeclaims', claim)).toEqual({
      'count/persistentvolumeclaims': '1',
      'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
      'gold.storageclass.storage.k8s.io/requests.storage': '2',
      persistentvolumeclaims: '1',
      'requests.storage': '2',
    })
  })

  test('costs what was set aside where that is more', () => {
    const status = { allocatedResources: { storage: '1Gi' } }
    const amounts = cost('persistentvolumeclaims', { ...claim, status })
    expect(amounts['requests.storage']).toBe('1Gi')
  })

  test('counts for names of any class', () => {
    const { countsFor } = core('persistentvolumeclaims')
    expect(countsFor('x.storageclass.storage.k8s.io/requests.storage')).toBe(true)
    expect(countsFor('x.storageclass.storage.k8s.io/pods')).toBe(false)
  })

  test('falls under the scope of each class of attributes that it has or will have', () => {
    const status = {
      currentVolumeAttributesClassName: 'slow',
      modifyVolumeStatus: { status: 'Pending', targetVolumeAttributesClassName: 'fast' },
    }
    const { isInScope } = core('persistentvolumeclaims')
    const scope = { scopeName: 'VolumeAttributesClass', operator: 'In' }
    for (const [name, isMet] of [
      ['slow', true],
      ['fast', true],
      ['other', false],
    ] as const) {
      expect(isInScope({ ...claim, status } as never, { ...scope, values: [name] })).toBe(isMet)
    }
    expect(isInScope(claim as never, { ...scope, operator: 'NotIn', values: ['a'] })).toBe(true)
  })
})

test('a service costs its node ports and its load balancer', () => {
  const ports = [{ port: 1 }, { port: 2, nodePort: 30001 }]
  const of = (spec: Service['spec']) => {
    const amounts = cost('services', { metadata: {}, spec })
    return [amounts['services.nodeports'], amounts['services.loadbalancers']]
  }
  expect(of({ type: 'ClusterIP', ports })).toEqual(['0', '0'])
  expect(of({ type: 'NodePort', ports })).toEqual(['2', '0'])
  expect(of({ type: 'LoadBalancer', ports })).toEqual(['2', '1'])
  expect(of({ type: 'LoadBalancer', ports, allocateLoadBalancerNodePorts: false })).toEqual([
    '1',
    '1',
  ])
})

test('everything else is counted, some under an older name too, and a few things are free', () => {
  expect(cost('secrets', {})).toEqual({ 'count/secrets': '1', secrets: '1' })
  const widgets = chargeOf({ group: 'example.com', plural: 'widgets' })!
  expect(formatAmounts(widgets.usage({ metadata: {} }, 0))).toEqual({
    'count/widgets.example.com': '1',
  })
  expect(chargeOf({ group: '', plural: 'events' })).toBeUndefined()
  expect(chargeOf({ group: 'authentication.k8s.io', plural: 'tokenreviews' })).toBeUndefined()
  // A kind that happens to share a name with one of ours.
  expect(cost('secrets', {})).not.toEqual(
    formatAmounts(
      chargeOf({ group: 'example.com', plural: 'secrets' })!.usage({ metadata: {} }, 0),
    ),
  )
})

test('scopes and the expressions of a selector must all be met', () => {
  const spec = {
    scopes: ['BestEffort'],
    scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists' }] },
  }
  expect(requirementsOf({ metadata: {}, spec })).toEqual([
    { scopeName: 'BestEffort', operator: 'Exists' },
    { scopeName: 'PriorityClass', operator: 'Exists' },
  ])
})
