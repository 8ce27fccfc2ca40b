import { expect, test } from 'bun:test'
import type { Event } from '../../../schema/generated/types.ts'
import { coreEventOf, groupEventOf } from './convert.ts'

const EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e', namespace: 'n' },
  involvedObject: { kind: 'Pod', name: 'p' },
  message: 'hello',
  source: { component: 'kubelet' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  count: 2,
  reportingComponent: 'kubelet',
  reportingInstance: '',
} as unknown as Event

test('an event is the same after it was seen through the other group', () => {
  expect(coreEventOf(groupEventOf(EVENT))).toEqual(EVENT)
})

test('old fields have another name in the newer group', () => {
  const event = groupEventOf(EVENT)
  expect(event.apiVersion).toBe('events.k8s.io/v1')
  expect(event.regarding).toEqual({ kind: 'Pod', name: 'p' })
  expect(event.note).toBe('hello')
  expect(event.deprecatedCount).toBe(2)
  expect(event.deprecatedSource).toEqual({ component: 'kubelet' })
  expect(event).not.toHaveProperty('message')
})
