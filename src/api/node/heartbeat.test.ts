import { expect, test } from 'bun:test'
import type { Node } from '../schema/generated/types.ts'
import { isHeartbeat } from './heartbeat.ts'

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'a',
    resourceVersion: '7',
    managedFields: [{ manager: 'kedge', operation: 'Update', time: '2026-01-01T00:00:00Z' }],
  },
  spec: {},
  status: {
    capacity: { cpu: '4' },
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        lastHeartbeatTime: '2026-01-01T00:00:00Z',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  },
}

function changed(change: (node: Node) => void): Node {
  const copy = structuredClone(node)
  change(copy)
  return copy
}

function beat({ status }: Node) {
  status!.conditions![0]!.lastHeartbeatTime = '2026-01-01T00:05:00Z'
}

test('times of heartbeats, and who owns the status, make a heartbeat', () => {
  const later = changed((copy) => {
    beat(copy)
    const { metadata } = copy
    metadata.resourceVersion = '8'
    metadata.managedFields![0]!.time = '2026-01-01T00:05:00Z'
    metadata.managedFields!.push({ manager: 'agent', operation: 'Update', subresource: 'status' })
  })
  expect(isHeartbeat(later, node)).toBe(true)
})

test('without a new time there is none', () => {
  expect(isHeartbeat(structuredClone(node), node)).toBe(false)
})

test('anything else beside it makes it more', () => {
  const changes: ((node: Node) => void)[] = [
    ({ status }) => {
      status!.conditions![0]!.status = 'False'
    },
    ({ status }) => {
      status!.conditions![0]!.lastTransitionTime = '2026-01-01T00:05:00Z'
    },
    ({ status }) => {
      status!.capacity = { cpu: '3' }
    },
    ({ metadata }) => {
      metadata.labels = { zone: 'a' }
    },
    ({ metadata }) => {
      metadata.managedFields![0]!.manager = 'kubectl'
    },
    ({ spec }) => {
      spec.unschedulable = true
    },
  ]
  for (const change of changes) {
    const more = changed((copy) => {
      beat(copy)
      change(copy)
    })
    expect(isHeartbeat(more, node)).toBe(false)
  }
})
