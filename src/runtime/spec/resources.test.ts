import { expect, test } from 'bun:test'
import type { Container, PodSpec } from '../../api/schema/generated/types.ts'
import { containerResources, podLimits } from './resources.ts'

const MIB = 1024 * 1024

function container(limits?: Record<string, string>, requests?: Record<string, string>): Container {
  return { name: 'c', resources: { ...(limits && { limits }), ...(requests && { requests }) } }
}
const podOf = (spec: Partial<PodSpec>) => ({
  metadata: { name: 'p' },
  spec: { containers: [], ...spec },
})
const resources = (one: Container, spec: Partial<PodSpec> = {}) =>
  containerResources(podOf({ containers: [one], ...spec }), one, false)

test('shares follow the request and quotas the limit', () => {
  const { cpu, memory } = resources(
    container({ cpu: '500m', memory: '64Mi' }, { cpu: '250m', memory: '32Mi' }),
  )
  expect(cpu).toEqual({ shares: 256, quota: 50_000, period: 100_000 })
  expect(memory).toEqual({ limit: 64 * MIB })
})

test('nothing asked for is the least share and no limit', () => {
  expect(resources({ name: 'c' })).toEqual({
    devices: [{ allow: false, access: 'rwm' }],
    cpu: { shares: 2 },
  })
})

test('a limit alone counts as a request, and tiny or huge amounts are bounded', () => {
  expect(resources(container({ cpu: '1' })).cpu?.shares).toBe(1024)
  expect(resources(container({ cpu: '1m' })).cpu).toMatchObject({ shares: 2, quota: 1000 })
  expect(resources(container(undefined, { cpu: '1000' })).cpu?.shares).toBe(262_144)
})

test('limits of the pod apply to containers without their own', () => {
  const spec = { resources: { limits: { cpu: '1', memory: '100Mi' } } }
  expect(resources(container(undefined, { cpu: '100m' }), spec)).toMatchObject({
    cpu: { shares: 102, quota: 100_000 },
    memory: { limit: 100 * MIB },
  })
})

test('the pod gets the sum of its containers', () => {
  const containers = [
    container({ cpu: '500m', memory: '64Mi' }, { cpu: '250m' }),
    container({ cpu: '500m', memory: '64Mi' }, { cpu: '250m' }),
  ]
  expect(podLimits(podOf({ containers }))).toEqual({
    cpuShares: 512,
    cpuQuota: 100_000,
    memoryLimitBytes: 128 * MIB,
  })
})

test('one container without a limit leaves the pod without', () => {
  const containers = [container({ memory: '64Mi' }, { cpu: '250m' }), container()]
  expect(podLimits(podOf({ containers }))).toEqual({
    cpuShares: 256,
    cpuQuota: undefined,
    memoryLimitBytes: undefined,
  })
})

test('an init container counts beside the sidecars that run with it', () => {
  const sidecar = { ...container({ memory: '10Mi' }), restartPolicy: 'Always' }
  const initContainers = [sidecar, container({ memory: '100Mi' })]
  const containers = [container({ memory: '20Mi' })]
  expect(podLimits(podOf({ containers, initContainers })).memoryLimitBytes).toBe(110 * MIB)
  const light = [sidecar, container({ memory: '15Mi' })]
  expect(podLimits(podOf({ containers, initContainers: light })).memoryLimitBytes).toBe(30 * MIB)
})

test('resources of the pod itself win over sums', () => {
  const spec = {
    containers: [container({ memory: '64Mi' })],
    resources: { limits: { memory: '1Gi', cpu: '2' }, requests: { cpu: '1' } },
  }
  expect(podLimits(podOf(spec))).toEqual({
    cpuShares: 1024,
    cpuQuota: 200_000,
    memoryLimitBytes: 1024 * MIB,
  })
})
