import { describe, expect, test } from 'bun:test'
import type { AnyObject } from '../../../api/object.ts'
import type { DeleteOptions } from '../../request/options.ts'
import { planDeletion } from './plan-deletion.ts'

const NOW_MS = Date.parse('2026-01-01T00:01:00Z')
const NONE: DeleteOptions = {
  dryRun: false,
  gracePeriodSeconds: undefined,
  propagationPolicy: undefined,
  orphanDependents: undefined,
  preconditions: undefined,
}
const plain = { graceSeconds: undefined, orphansByDefault: false }
const graceful = {
  graceSeconds: (_object: unknown, asked?: number) => asked ?? 30,
  orphansByDefault: false,
}
const object = (metadata: AnyObject['metadata'] = {}): AnyObject => ({
  metadata: { name: 'a', generation: 1, ...metadata },
})
const plan = (row: typeof plain | typeof graceful, old: AnyObject, options = {}) => {
  const planned = planDeletion(row, old, { ...NONE, ...options }, NOW_MS)
  return typeof planned === 'string' ? planned : planned.metadata
}

describe('without grace', () => {
  test('an object goes at once, unless somebody waits for it', () => {
    expect(plan(plain, object())).toBe('gone')
    expect(plan(plain, object({ finalizers: ['a/b'] }))).toMatchObject({
      deletionTimestamp: '2026-01-01T00:01:00Z',
      deletionGracePeriodSeconds: 0,
      finalizers: ['a/b'],
      generation: 2,
    })
  })

  test('a policy becomes a finalizer, and replaces the other one', () => {
    expect(plan(plain, object(), { propagationPolicy: 'Foreground' })).toMatchObject({
      finalizers: ['foregroundDeletion'],
    })
    expect(
      plan(plain, object({ finalizers: ['foregroundDeletion'] }), { orphanDependents: true }),
    ).toMatchObject({ finalizers: ['orphan'] })
    expect(
      plan(plain, object({ finalizers: ['orphan'] }), { propagationPolicy: 'Background' }),
    ).toBe('gone')
    expect(plan({ ...plain, orphansByDefault: true }, object())).toMatchObject({
      finalizers: ['orphan'],
    })
  })
})

describe('with grace', () => {
  const marked = object({
    deletionTimestamp: '2026-01-01T00:01:20Z',
    deletionGracePeriodSeconds: 30,
  })

  test('an object is marked with the end of its grace', () => {
    expect(plan(graceful, object())).toMatchObject({
      deletionTimestamp: '2026-01-01T00:01:30Z',
      deletionGracePeriodSeconds: 30,
      generation: 2,
    })
    expect(plan(graceful, object(), { gracePeriodSeconds: 0 })).toBe('gone')
    expect(plan(graceful, object(), { gracePeriodSeconds: -1 })).toMatchObject({
      deletionGracePeriodSeconds: 1,
    })
  })

  test('a grace that runs may be shortened, never lengthened', () => {
    expect(plan(graceful, marked)).toBe('pending')
    expect(plan(graceful, marked, { gracePeriodSeconds: 60 })).toBe('pending')
    expect(plan(graceful, marked, { gracePeriodSeconds: 20 })).toMatchObject({
      deletionTimestamp: '2026-01-01T00:01:10Z',
      deletionGracePeriodSeconds: 20,
      generation: 1,
    })
    expect(plan(graceful, marked, { gracePeriodSeconds: 5 })).toMatchObject({
      deletionTimestamp: '2026-01-01T00:01:00Z',
      deletionGracePeriodSeconds: 1,
    })
    expect(plan(graceful, marked, { gracePeriodSeconds: 0 })).toBe('gone')
  })

  test('zero seconds with a finalizer leaves the object marked', () => {
    const held = object({ finalizers: ['a/b'] })
    expect(plan(graceful, held, { gracePeriodSeconds: 0 })).toMatchObject({
      deletionGracePeriodSeconds: 0,
      finalizers: ['a/b'],
    })
  })
})
