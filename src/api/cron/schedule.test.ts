import { describe, expect, test } from 'bun:test'
import { formatTime, parseTime } from '../time.ts'
// What robfig/cron 3.0.1 says: schedule, time zone, time, and the time that comes next.
import cases from './schedule.cases.json'
import { parseSchedule } from './schedule.ts'
import { zoneOffset } from './time-zone.ts'

const after = (schedule: string, zone: string, time: string) => {
  const nextMs = parseSchedule(schedule, zone).nextMs(parseTime(time))
  return nextMs === undefined ? 'never' : formatTime(nextMs)
}

describe('schedules', () => {
  test('come next when upstream says, also where clocks are put forward or back', () => {
    const wrong = (cases as [string, string, string, string][])
      .map(([schedule, zone, time, wanted]) => {
        return { schedule, zone, time, wanted, got: after(schedule, zone, time) }
      })
      .filter(({ wanted, got }) => wanted !== got)
    expect(wrong).toEqual([])
  })

  test('have no run on a day whose clocks skip it', () => {
    expect(after('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z')).toBe(
      '2026-03-30T00:30:00Z',
    )
  })

  test('find their last time as one walk through all of them would', () => {
    const start = parseTime('2026-03-27T00:00:00Z')
    const texts = ['*/7 * * * *', '30 6-16/4 * * 1-5', '@daily', '@every 50m', '0 0 31 2 *']
    for (const text of texts) {
      const schedule = parseSchedule(text, 'Europe/Berlin')
      for (let hours = 0; hours < 96; hours += 5) {
        const nowMs = start + hours * 3_600_000
        let last: number | undefined
        for (let at = schedule.nextMs(start); at !== undefined && at <= nowMs; ) {
          last = at
          at = schedule.nextMs(at)
        }
        expect(schedule.lastMs(start, nowMs)).toBe(last)
      }
    }
  })

  test('find it among a hundred years of minutes, without walking through them', () => {
    const [from, to] = [parseTime('1926-01-01T00:00:00Z'), parseTime('2026-01-15T12:00:00Z')]
    expect(formatTime(parseSchedule('* * 1 * *').lastMs(from, to)!)).toBe('2026-01-01T23:59:00Z')
    expect(formatTime(parseSchedule('@every 1m').lastMs(from, to)!)).toBe('2026-01-15T12:00:00Z')
  })
})

describe('time zones', () => {
  test('are spelled in one way', () => {
    const known = ['UTC', 'Europe/Berlin', 'US/Pacific', 'Etc/GMT+5', 'Asia/Calcutta']
    for (const name of known) expect(zoneOffset(name)).toBeDefined()
    const unknown = ['utc', 'europe/berlin', '+05:00', '-05', 'Europe', '../UTC', 'Local', 'PST']
    for (const name of unknown) expect(zoneOffset(name)).toBeUndefined()
  })
})
