import { describe, expect, test } from 'bun:test'
import type { Node } from '../../api/schema/generated/types.ts'
import type { NodeSettings } from '../settings.ts'
import { memoryField, prettyName } from './machine.ts'
import { allocatableOf, type NodeView, newNode, nodeStatus, planNodePatch } from './node-status.ts'

const GIB = 1024 ** 3
const MINUTE_MS = 60_000

function viewOf(wish: Partial<NodeView> = {}): NodeView {
  return {
    settings: {
      nodeName: 'node-a',
      addresses: ['192.0.2.10'],
      labels: {},
      taints: [],
      version: 'v1.36.0',
      port: 10250,
      dataFolder: '/data',
      podsMax: 110,
      reserved: {},
    } as unknown as NodeSettings,
    machine: {
      architecture: 'arm64',
      cpus: 4,
      memoryBytes: 4 * GIB,
      kernelVersion: '6.1',
      osImage: 'Debian',
      machineId: 'm',
      systemUuid: 's',
      bootId: 'b',
      hugePages: ['hugepages-2Mi'],
      hasMemoryCgroup: true,
    },
    load: { memoryAvailableBytes: GIB, diskBytes: 100 * GIB, diskAvailableBytes: 50 * GIB },
    runtimeVersion: 'containerd://1.6.20',
    problems: [],
    images: [],
    nowMs: 0,
    ...wish,
  }
}
const nodeAt = (view: NodeView): Node => newNode(view)
const conditionsOf = (view: NodeView) =>
  Object.fromEntries(nodeStatus(view, undefined).conditions!.map((one) => [one.type, one]))

describe('the status of a node', () => {
  test('counts what the machine has, and what of it pods may use', () => {
    const { capacity, allocatable } = nodeStatus(viewOf(), undefined)
    expect(capacity).toEqual({
      cpu: '4',
      'ephemeral-storage': '100Gi',
      'hugepages-2Mi': '0',
      memory: '4Gi',
      pods: '110',
    })
    expect(allocatable).toEqual({ ...capacity, memory: '3996Mi' })
    const reserved = { cpu: '500m', memory: '5Gi' }
    expect(allocatableOf(capacity!, reserved)).toMatchObject({ cpu: '3500m', memory: '0' })
  })

  test('says that memory cannot be limited, and when it can again', () => {
    const { machine } = viewOf()
    const view = viewOf({ machine: { ...machine, hasMemoryCgroup: false } })
    const { conditions } = nodeStatus(view, undefined)
    expect(conditions!.at(-1)).toMatchObject({
      type: 'MemoryLimitsUnsupported',
      status: 'True',
      reason: 'NoMemoryCgroup',
      message: expect.stringContaining('cgroup_enable=memory cgroup_memory=1'),
    })
    expect(conditionsOf(view).Ready!.status).toBe('True')
    expect(conditionsOf(viewOf()).MemoryLimitsUnsupported).toBeUndefined()
    const mended = nodeStatus(viewOf(), { conditions: conditions! })
    expect(mended.conditions!.at(-1)).toMatchObject({
      type: 'MemoryLimitsUnsupported',
      status: 'False',
    })
  })

  test('says under which pressure it is', () => {
    const load = { memoryAvailableBytes: 1, diskBytes: 100, diskAvailableBytes: 9 }
    const conditions = conditionsOf(viewOf({ load }))
    expect(conditions.MemoryPressure).toMatchObject({ status: 'True' })
    expect(conditions.DiskPressure).toMatchObject({
      status: 'True',
      reason: 'KubeletHasDiskPressure',
      message: 'kubelet has disk pressure',
    })
    expect(conditions.PIDPressure).toMatchObject({ status: 'False' })
  })

  test('is not ready without a runtime, or while something has a problem', () => {
    expect(conditionsOf(viewOf()).Ready).toMatchObject({ status: 'True', reason: 'KubeletReady' })
    const down = viewOf({ runtimeVersion: undefined, problems: ['no network'] })
    expect(conditionsOf(down).Ready).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message: '[container runtime is down, no network]',
    })
  })
})

describe('planNodePatch', () => {
  test('keeps quiet for five minutes while only time passes', () => {
    const node = nodeAt(viewOf())
    const after = (minutes: number) => {
      const nowMs = minutes * MINUTE_MS
      return planNodePatch(node, nodeStatus(viewOf({ nowMs }), node.status), nowMs)
    }
    expect(after(4.9)).toBeUndefined()
    expect(Object.keys(after(5)!.status)).toEqual(['conditions'])
  })

  test('tells a change at once, with the time of the change', () => {
    const node = nodeAt(viewOf())
    const view = viewOf({ nowMs: 10_000, problems: ['no network'] })
    const patch = planNodePatch(node, nodeStatus(view, node.status), view.nowMs)
    const times = patch!.status.conditions.map((one) => [one.type, one.lastTransitionTime])
    expect(Object.fromEntries(times)).toEqual({
      MemoryPressure: '1970-01-01T00:00:00Z',
      DiskPressure: '1970-01-01T00:00:00Z',
      PIDPressure: '1970-01-01T00:00:00Z',
      Ready: '1970-01-01T00:00:10Z',
    })
  })

  test('replaces addresses', () => {
    const node = nodeAt(viewOf())
    const status = nodeStatus(viewOf(), node.status)
    status.addresses = [{ type: 'InternalIP', address: '192.0.2.99' }]
    expect(planNodePatch(node, status, 0)).toMatchObject({
      status: { addresses: [{ $patch: 'replace' }, status.addresses[0]] },
    })
  })
})

test('facts are read from what the system writes', () => {
  expect(memoryField('MemTotal:  2048 kB\nMemFree:  1 kB\n', 'MemTotal')).toBe(2048 * 1024)
  expect(memoryField('', 'MemTotal')).toBe(0)
  expect(prettyName('NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
    'Debian GNU/Linux 12 (bookworm)',
  )
})
