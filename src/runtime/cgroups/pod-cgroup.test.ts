import { expect, test } from 'bun:test'
import { type CgroupHost, planPodCgroup, weightOf } from './pod-cgroup.ts'

const limits = { cpuShares: 512, cpuQuota: 50_000, memoryLimitBytes: 1024 }
const unlimited = { cpuShares: 2, cpuQuota: undefined, memoryLimitBytes: undefined }
const legacy: CgroupHost = {
  root: '/cg',
  version: 1,
  controllers: ['cpu', 'memory', 'pids', 'freezer'],
}
const unified: CgroupHost = { root: '/cg', version: 2, controllers: ['cpu', 'memory', 'rdma'] }

test('version 1 gets a folder per controller, limits in the innermost', () => {
  const steps = planPodCgroup(legacy, 'kubepods/burstable/podx', limits)
  expect(steps.map((step) => step.dir)).toEqual(
    ['cpu', 'memory', 'pids'].flatMap((name) => [
      `/cg/${name}/kubepods`,
      `/cg/${name}/kubepods/burstable`,
      `/cg/${name}/kubepods/burstable/podx`,
    ]),
  )
  const values = steps.filter((step) => step.dir.endsWith('podx')).flatMap((step) => step.values)
  expect(values).toEqual([
    ['cpu.shares', '512'],
    ['cpu.cfs_period_us', '100000'],
    ['cpu.cfs_quota_us', '50000'],
    ['memory.limit_in_bytes', '1024'],
  ])
})

test('version 2 hands controllers down before it limits', () => {
  const steps = planPodCgroup(unified, '/kubepods/podx', limits)
  expect(steps.map((step) => step.dir)).toEqual(['/cg', '/cg/kubepods', '/cg/kubepods/podx'])
  expect(steps[0]!.values).toEqual([
    ['cgroup.subtree_control', '+cpu'],
    ['cgroup.subtree_control', '+memory'],
  ])
  expect(steps[2]!.values.slice(2)).toEqual([
    ['cpu.weight', '20'],
    ['cpu.max', '50000 100000'],
    ['memory.max', '1024'],
  ])
})

test('what the kernel lacks is not written', () => {
  const written = (host: CgroupHost) =>
    planPodCgroup(host, 'kubepods/besteffort/podx', limits).flatMap(({ dir, values }) => [
      dir,
      ...values.map(([file, value]) => `${file} ${value}`),
    ])
  for (const version of [1, 2] as const) {
    for (const lacks of ['memory', 'cpu']) {
      const controllers = ['cpu', 'memory', 'pids'].filter((name) => name !== lacks)
      const text = written({ root: '/cg', version, controllers }).join('\n')
      expect(text).not.toMatch(new RegExp(`\\b${lacks}\\b`))
    }
  }
})

test('no limit is written as none, so that an old one does not stay', () => {
  const values = (host: CgroupHost) =>
    planPodCgroup(host, 'podx', unlimited).flatMap((step) => step.values.map(([, value]) => value))
  expect(values(legacy)).toEqual(['2', '100000', '-1', '-1'])
  expect(values(unified)).toContain('max 100000')
  expect(values(unified)).toContain('max')
})

test('all best-effort pods together get the least', () => {
  const steps = planPodCgroup(legacy, 'kubepods/besteffort/podx', unlimited)
  const besteffort = steps.find((step) => step.dir === '/cg/cpu/kubepods/besteffort')
  expect(besteffort?.values).toEqual([['cpu.shares', '2']])
})

test('shares become weights within the range of the kernel', () => {
  expect([2, 1024, 262_144].map(weightOf)).toEqual([1, 39, 10_000])
})
