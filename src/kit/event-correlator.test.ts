import { describe, expect, test } from 'bun:test'
import type { Event } from '../api/schema/generated/types.ts'
import { EventCorrelator } from './event-correlator.ts'

function anEvent(message: string, reason = 'Failed'): Event {
  return {
    metadata: { name: `web.${message}`, namespace: 'x' },
    involvedObject: { kind: 'Pod', namespace: 'x', name: 'web', uid: 'u' },
    source: { component: 'test' },
    reason,
    message,
    type: 'Warning',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
  }
}

/** Decides and remembers, as if every write succeeded. */
function say(correlator: EventCorrelator, event: Event, nowMs: number) {
  const decision = correlator.decide(event, nowMs)
  if (decision.do !== 'drop') correlator.wrote(decision.key, decision.event)
  return decision
}

describe('EventCorrelator', () => {
  test('counts the same event up instead of writing it again', () => {
    const correlator = new EventCorrelator()
    expect(say(correlator, anEvent('a'), 0).do).toBe('create')
    const again = say(correlator, { ...anEvent('a'), metadata: { name: 'other' } }, 1000)
    expect(again).toMatchObject({ do: 'count', event: { count: 2, metadata: { name: 'web.a' } } })
  })

  test('merges the tenth event that differs only in its message, and those after it', () => {
    const correlator = new EventCorrelator()
    for (let i = 0; i < 9; i++) expect(say(correlator, anEvent(`m${i}`), 0).do).toBe('create')
    expect(say(correlator, anEvent('m9'), 0)).toMatchObject({
      do: 'create',
      event: { message: '(combined from similar events): m9' },
    })
    expect(say(correlator, anEvent('m10'), 0)).toMatchObject({
      do: 'count',
      event: { message: '(combined from similar events): m10', count: 2 },
    })
  })

  test('keeps another reason apart', () => {
    const correlator = new EventCorrelator()
    for (let i = 0; i < 12; i++) say(correlator, anEvent(`m${i}`), 0)
    expect(say(correlator, anEvent('x', 'Other'), 0)).toMatchObject({ do: 'create' })
  })

  test('drops what goes beyond 25 about one object, and lets one more through in 5 minutes', () => {
    const correlator = new EventCorrelator()
    const kinds = Array.from({ length: 40 }, () => say(correlator, anEvent('a'), 0).do)
    expect(kinds.filter((kind) => kind !== 'drop')).toHaveLength(25)
    expect(say(correlator, anEvent('a'), 299_000).do).toBe('drop')
    expect(say(correlator, anEvent('a'), 301_000).do).toBe('count')
    expect(say(correlator, anEvent('a'), 302_000).do).toBe('drop')
  })
})
