import { describe, expect, test } from 'bun:test'
import { aPod, type PodWish } from '../../../test/support/pod.ts'
import { sysctlList } from '../../api/pod/sysctls.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import { admitPod } from './admit.ts'

const node: Node = {
  metadata: { name: 'node-a', labels: { disk: 'ssd', cores: '4' } },
  spec: {},
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3' } },
}
const host = { node, sysctls: sysctlList('6.1.0', ['kernel.msg*']), memoryProblem: undefined }
const asks = (requests: Record<string, string>) =>
  aPod({ containers: [{ name: 'web', resources: { requests } }] })
const reasonFor = (
  pod: PodWish | ReturnType<typeof aPod>,
  others = [] as ReturnType<typeof aPod>[],
) =>
  admitPod('spec' in pod ? (pod as ReturnType<typeof aPod>) : aPod(pod as PodWish), host, others)
    ?.reason
const wants = (key: string, operator: string, ...values: string[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
      },
    },
  },
})

describe('admitPod', () => {
  test('lets in what fits', () => {
    expect(reasonFor(asks({ cpu: '2', memory: '1Gi' }))).toBeUndefined()
  })

  test('counts what others hold', () => {
    expect(admitPod(asks({ cpu: '1500m' }), host, [asks({ cpu: '600m' })])).toEqual({
      reason: 'OutOfcpu',
      message: "Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000",
    })
    expect(reasonFor(asks({ memory: '2Gi' }))).toBe('OutOfmemory')
    expect(reasonFor({}, [aPod(), aPod(), aPod()])).toBe('OutOfpods')
  })

  test('knows selectors and affinity of nodes', () => {
    expect(reasonFor({ nodeSelector: { disk: 'ssd' } })).toBeUndefined()
    expect(reasonFor({ nodeSelector: { disk: 'hdd' } })).toBe('NodeAffinity')
    expect(reasonFor(wants('disk', 'In', 'ssd', 'nvme'))).toBeUndefined()
    expect(reasonFor(wants('disk', 'NotIn', 'ssd'))).toBe('NodeAffinity')
    expect(reasonFor(wants('cores', 'Gt', '3'))).toBeUndefined()
    expect(reasonFor(wants('cores', 'Lt', '3'))).toBe('NodeAffinity')
    expect(reasonFor(wants('gpu', 'Exists'))).toBe('NodeAffinity')
    expect(reasonFor(wants('gpu', 'DoesNotExist'))).toBeUndefined()
  })

  test('gives a port of the node only once', () => {
    const on = (hostPort: number, hostIP = '') =>
      aPod({ containers: [{ name: 'web', ports: [{ containerPort: 80, hostPort, hostIP }] }] })
    expect(reasonFor(on(80), [on(80)])).toBe('NodePorts')
    expect(reasonFor(on(80), [on(81)])).toBeUndefined()
    expect(reasonFor(on(80, '10.0.0.1'), [on(80, '10.0.0.2')])).toBeUndefined()
    expect(reasonFor(on(80, '10.0.0.1'), [on(80)])).toBe('NodePorts')
  })

  test('refuses what does not tolerate an evicting taint', () => {
    const spec = { taints: [{ key: 'k', value: 'v', effect: 'NoExecute' }] }
    const tainted = { ...host, node: { ...node, spec } }
    const tolerations = [{ key: 'k', value: 'v', effect: 'NoExecute' }]
    expect(admitPod(aPod(), tainted, [])?.reason).toBe('TaintToleration')
    expect(admitPod(aPod({ tolerations }), tainted, [])).toBeUndefined()
    expect(admitPod(aPod({ tolerations: [{ operator: 'Exists' }] }), tainted, [])).toBeUndefined()
  })

  test('refuses pods for another system', () => {
    expect(reasonFor({ os: { name: 'windows' } })).toBe('PodOSNotSupported')
  })

  test('refuses settings of the kernel that are not on the list', () => {
    const wants = (names: string[], more: PodWish = {}) => {
      const sysctls = names.map((name) => ({ name, value: '1' }))
      return admitPod(aPod({ securityContext: { sysctls }, ...more }), host, [])
    }
    expect(wants(['kernel.shm_rmid_forced', 'net/ipv4/tcp_syncookies'])).toBeUndefined()
    expect(wants(['kernel.msgmax'])).toBeUndefined()
    expect(wants(['net.ipv4.tcp_syncookies', 'kernel.core_pattern'])).toEqual({
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "kernel.core_pattern" not allowlisted',
    })
    expect(wants(['net.ipv4.tcp_syncookies'], { hostNetwork: true })?.message).toBe(
      'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    )
    expect(wants(['kernel/msgmax'], { hostIPC: true })?.message).toBe(
      'forbidden sysctl: "kernel.msgmax" not allowed with host IPC enabled',
    )
  })

  test('refuses limits of memory where the kernel keeps none', () => {
    const memoryProblem = 'the kernel has no memory cgroup'
    const limits = (resources: Record<string, string>) =>
      aPod({ containers: [{ name: 'web', resources: { limits: resources } }] })
    const without = { ...host, memoryProblem }
    expect(admitPod(limits({ memory: '64Mi' }), without, [])).toEqual({
      reason: 'MemoryLimitsUnsupported',
      message: 'memory limits: the kernel has no memory cgroup',
    })
    expect(admitPod(limits({ cpu: '1' }), without, [])).toBeUndefined()
    expect(admitPod(limits({ memory: '64Mi' }), host, [])).toBeUndefined()
  })
})
