import { expect, test } from 'bun:test'
import { aPod } from '../../../test/support/pod.ts'
import type { PodStatus } from '../../api/schema/generated/types.ts'
import { planStatusPatch } from './patch.ts'

const base: PodStatus = {
  phase: 'Running',
  podIP: '10.42.0.2',
  podIPs: [{ ip: '10.42.0.2' }],
  conditions: [
    { type: 'gate.example/up', status: 'True' },
    { type: 'Ready', status: 'True', lastTransitionTime: 'T0' },
  ],
}
const patchFor = (status: PodStatus) => planStatusPatch(aPod({ status: base }), status)?.status

test('nothing new is nothing to send', () => {
  expect(patchFor(base)).toBeUndefined()
  expect(patchFor({ ...base, conditions: [base.conditions![1]!] })).toBeUndefined()
})

test('only what differs is sent, and what is gone is named', () => {
  const { podIP: _, ...rest } = base
  expect(patchFor({ ...rest, phase: 'Failed', reason: 'Evicted' })).toEqual({
    phase: 'Failed',
    reason: 'Evicted',
    podIP: null,
  })
})

test('addresses replace the old ones instead of joining them', () => {
  expect(patchFor({ ...base, podIPs: [{ ip: '10.42.0.9' }] })).toEqual({
    podIPs: [{ $patch: 'replace' }, { ip: '10.42.0.9' }],
  })
})

test('conditions of others are never touched, and an old reason is taken back', () => {
  const before = { type: 'Ready', status: 'False', reason: 'ContainersNotReady', message: 'm' }
  const pod = aPod({ status: { ...base, conditions: [base.conditions![0]!, before] } })
  const ready = { type: 'Ready', status: 'True', lastTransitionTime: 'T1' }
  expect(planStatusPatch(pod, { ...base, conditions: [ready] })?.status).toEqual({
    conditions: [{ ...ready, reason: null, message: null }],
  })
})

test('a condition of ours that we do not say any more goes', () => {
  expect(patchFor({ ...base, conditions: [] })).toEqual({
    conditions: [{ type: 'Ready', $patch: 'delete' }],
  })
})
