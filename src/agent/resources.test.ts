import { describe, expect, test } from 'bun:test'
import { aPod } from '../../test/support/pod.ts'
import type { ResourceRequirements } from '../api/schema/generated/types.ts'
import { cgroupParentOf, oomScoreAdjOf, podLimits, podRequests, qosClassOf } from './resources.ts'

const GIB = 1024 ** 3
const one = (resources: ResourceRequirements) => aPod({ containers: [{ name: 'web', resources }] })
const both = { cpu: '1', memory: '1Gi' }

describe('the class of service', () => {
  test.each([
    ['BestEffort', {}],
    ['BestEffort', { requests: { cpu: '0' } }],
    ['Burstable', { requests: { cpu: '1' } }],
    ['Burstable', { limits: { cpu: '1' } }],
    ['Burstable', { limits: both, requests: { cpu: '500m' } }],
    ['Guaranteed', { limits: both }],
    ['Guaranteed', { limits: both, requests: { cpu: '1000m', memory: '1024Mi' } }],
  ])('is %s for %j', (qos, resources) => {
    expect(qosClassOf(one(resources))).toBe(qos as 'Burstable')
  })

  test('decides the place of the cgroup', () => {
    expect(cgroupParentOf(one({}))).toBe('kubepods/besteffort/podu')
    expect(cgroupParentOf(one({ limits: both }))).toBe('kubepods/podu')
  })
})

describe('the OOM score', () => {
  const scoreOf = (resources: ResourceRequirements, rest = {}) => {
    const pod = aPod({ containers: [{ name: 'web', resources }], ...rest })
    return oomScoreAdjOf(pod, pod.spec.containers[0]!, 4 * GIB)
  }

  test('is lower for who asks for more memory', () => {
    expect(scoreOf({})).toBe(1000)
    expect(scoreOf({ requests: { memory: '1Gi' } })).toBe(750)
    expect(scoreOf({ requests: { memory: '4Gi' } })).toBe(3)
    expect(scoreOf({ requests: { cpu: '1' } })).toBe(999)
    expect(scoreOf({ limits: both })).toBe(-997)
  })

  test('keeps critical pods, and sidecars as long as those they serve', () => {
    expect(scoreOf({}, { priority: 2_000_000_000 })).toBe(-997)
    const side = { name: 'side', restartPolicy: 'Always' }
    const resources = { requests: { memory: '2Gi' } }
    const pod = aPod({ initContainers: [side], containers: [{ name: 'web', resources }] })
    expect(oomScoreAdjOf(pod, pod.spec.initContainers![0]!, 4 * GIB)).toBe(500)
  })
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
