import { describe, expect, test } from 'bun:test'
import { aPod } from '../../../test/support/pod.ts'
import type { Container, PodSpec } from '../schema/generated/types.ts'
import { containerTotals, podLimits, podRequests, qosClassOf, roundToMilli } from './resources.ts'

type Amounts = Record<string, string>
const container = (requests?: Amounts, limits?: Amounts, more: Partial<Container> = {}) =>
  ({ name: 'c', resources: { requests, limits }, ...more }) as Container
const classOf = (spec: Partial<PodSpec>) =>
  qosClassOf({ metadata: {}, spec: { containers: [], ...spec } } as never)

test('a pod without requests and limits is served last', () => {
  expect(classOf({ containers: [container()] })).toBe('BestEffort')
  expect(classOf({ containers: [container({ cpu: '0' })] })).toBe('BestEffort')
})

test('a pod is guaranteed what each container is limited to', () => {
  const full = { cpu: '1', memory: '1Gi' }
  expect(classOf({ containers: [container(full, { cpu: '1000m', memory: '1Gi' })] })).toBe(
    'Guaranteed',
  )
  expect(classOf({ containers: [container(full, full), container()] })).toBe('Burstable')
  expect(classOf({ containers: [container(full, { ...full, cpu: '2' })] })).toBe('Burstable')
  expect(classOf({ containers: [container({ cpu: '1' })] })).toBe('Burstable')
  expect(classOf({ containers: [container({}, { cpu: '1' })] })).toBe('Burstable')
})

test('resources of the pod decide alone', () => {
  const full = { cpu: '1', memory: '1Gi' }
  const resources = { requests: full, limits: full }
  expect(classOf({ resources, containers: [container()] })).toBe('Guaranteed')
})

test('init containers need what they need one after another, sidecars all the time', () => {
  const spec = {
    containers: [container({ cpu: '1' }), container({ cpu: '1' })],
    initContainers: [
      container({ cpu: '500m' }, undefined, { restartPolicy: 'Always' }),
      container({ cpu: '3' }),
    ],
  } as PodSpec
  expect(containerTotals(spec, 'requests')).toEqual({ cpu: '3500m' })
})

test('finer than a thousandth is rounded up', () => {
  const list = { cpu: '100u', memory: '1' }
  roundToMilli(list)
  expect(list).toEqual({ cpu: '1m', memory: '1' })
})

describe('the needs of a pod', () => {
  const asks = (name: string, cpu: string, rest = {}) => ({
    name,
    resources: { requests: { cpu }, limits: { cpu } },
    ...rest,
  })

  test('are those of all together, or of the greediest init container', () => {
    const containers = [asks('a', '100m'), asks('b', '200m')]
    expect(podRequests(aPod({ containers }))).toEqual({ cpu: '300m' })
    const init = [asks('i', '1'), asks('j', '250m')]
    expect(podRequests(aPod({ containers, initContainers: init }))).toEqual({ cpu: '1' })
  })

  test('count a sidecar beside the containers and beside later init containers', () => {
    const side = asks('s', '500m', { restartPolicy: 'Always' })
    const initContainers = [asks('early', '600m'), side, asks('late', '400m')]
    const pod = aPod({ containers: [asks('a', '100m')], initContainers })
    expect(podRequests(pod)).toEqual({ cpu: '900m' })
    expect(podLimits(pod)).toEqual({ cpu: '900m' })
  })
})
