import { expect, test } from 'bun:test'
import type { Seen } from './pod-seen.ts'
import { isReplacing } from './replacement.ts'

function seen(image: string, more: object = {}, troubles: string[] = []): Seen {
  return {
    pod: { metadata: { ...more }, spec: { containers: [{ name: 'web', image: 'web:2' }] } },
    containers: image === '' ? [] : [{ name: 'web', image }],
    troubles: new Map(troubles.map((key) => [key, {}])),
  } as unknown as Seen
}

test('a pod whose container still has the old image is being replaced', () => {
  expect(isReplacing(seen('web:1'))).toBe(true)
  expect(isReplacing(seen('web:2'))).toBe(false)
  expect(isReplacing(seen(''))).toBe(false)
})

test('what goes wrong is reported, and so is the end of the pod', () => {
  expect(isReplacing(seen('web:1', {}, ['image/web']))).toBe(false)
  expect(isReplacing(seen('web:1', { deletionTimestamp: 'now' }))).toBe(false)
})
