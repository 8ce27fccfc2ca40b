import { expect, test } from 'bun:test'
import type { Pod } from '../schema/generated/types.ts'
import { deletionGraceSeconds, preparePod } from './strategy.ts'

const pod = (spec: object, status?: object) =>
  ({
    metadata: { labels: { v: '1' } },
    spec: { containers: [], ...spec },
    status,
  }) as unknown as Pod

test('what runs nowhere is deleted at once', () => {
  expect(deletionGraceSeconds(pod({ terminationGracePeriodSeconds: 30 }))).toBe(0)
  const done = pod({ nodeName: 'n', terminationGracePeriodSeconds: 30 }, { phase: 'Failed' })
  expect(deletionGraceSeconds(done)).toBe(0)
})

test('what runs has its own grace, unless another is asked for', () => {
  const running = pod({ nodeName: 'n', terminationGracePeriodSeconds: 30 }, { phase: 'Running' })
  expect(deletionGraceSeconds(running)).toBe(30)
  expect(deletionGraceSeconds(running, 5)).toBe(5)
  expect(deletionGraceSeconds(running, -5)).toBe(1)
})

test('a new pod is pending, and says so when it is held back', () => {
  const held = pod({ schedulingGates: [{ name: 'a/b' }] }, { phase: 'Running', podIP: '1.2.3.4' })
  preparePod(held, { nowMs: 0 })
  expect(held.status?.phase).toBe('Pending')
  expect(held.status?.podIP).toBeUndefined()
  expect(held.status?.conditions?.[0]?.reason).toBe('SchedulingGated')
})

test('keys of labels become part of the selector with the values of this pod', () => {
  const spread = pod({
    topologySpreadConstraints: [
      { labelSelector: { matchLabels: { a: 'b' } }, matchLabelKeys: ['v', 'absent'] },
    ],
  })
  preparePod(spread, { nowMs: 0 })
  expect(spread.spec.topologySpreadConstraints?.[0]?.labelSelector?.matchExpressions).toEqual([
    { key: 'v', operator: 'In', values: ['1'] },
  ])
})
