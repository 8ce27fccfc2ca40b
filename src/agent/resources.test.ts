import { describe, expect, test } from 'bun:test'
import { aPod } from '../../test/support/pod.ts'
import type { ResourceRequirements } from '../api/schema/generated/types.ts'
import { cgroupParentOf, oomScoreAdjOf } from './resources.ts'

const GIB = 1024 ** 3
const one = (resources: ResourceRequirements) => aPod({ containers: [{ name: 'web', resources }] })
const both = { cpu: '1', memory: '1Gi' }

describe('the class of service', () => {
  test('decides the place of the cgroup', () => {
    expect(cgroupParentOf(one({}))).toBe('kubepods/besteffort/podu')
    expect(cgroupParentOf(one({ limits: both, requests: both }))).toBe('kubepods/podu')
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
    expect(scoreOf({ limits: both, requests: both })).toBe(-997)
  })

  test('keeps critical pods, and sidecars as long as those they serve', () => {
    expect(scoreOf({}, { priority: 2_000_000_000 })).toBe(-997)
    const side = { name: 'side', restartPolicy: 'Always' }
    const resources = { requests: { memory: '2Gi' } }
    const pod = aPod({ initContainers: [side], containers: [{ name: 'web', resources }] })
    expect(oomScoreAdjOf(pod, pod.spec.initContainers![0]!, 4 * GIB)).toBe(500)
  })
})
