import { describe, expect, test } from 'bun:test'
import { SimClock } from './clock.ts'
import { createLog } from './log.ts'

function aLog(level: 'debug' | 'info' = 'info', format: 'json' | 'text' = 'text') {
  const clock = new SimClock(Date.UTC(2026, 0, 1))
  const lines: string[] = []
  const log = createLog({ clock, level, format, write: (line) => lines.push(line) })
  /** Without time and level. */
  const said = () => lines.splice(0).map((line) => line.replace(/^\S+ +\S+ +/, ''))
  return { clock, log, said, lines }
}

describe('a line of the log', () => {
  test('holds measured numbers rounded, wherever they stand', () => {
    const { log, said, lines } = aLog()
    log.info('started', { totalMs: 1234.5678, parts: { a: 0.123456, b: 7 }, count: 12345678 })
    expect(said()).toEqual([
      'started totalMs=1235 parts="{\\"a\\":0.123,\\"b\\":7}" count=12345678',
    ])
    const json = aLog('info', 'json')
    json.log.warn('slow', { ms: 2.71999, error: new Error('x', { cause: new Error('y') }) })
    expect(JSON.parse(json.lines[0]!)).toMatchObject({ ms: 2.72, error: 'x: y' })
    expect(lines).toEqual([])
  })
})

describe('lines that say the same', () => {
  test('are written ten times a minute, and then counted', async () => {
    const { clock, log, said } = aLog()
    for (let i = 0; i < 1000; i++) {
      const error = new Error(`give node "n${i}" addresses: none of ${i} is left`)
      log.with({ controller: 'ipam', key: `n${i}` }).warn('pass failed', { error })
    }
    expect(said()).toHaveLength(10)
    await clock.advance(60_000)
    expect(said()).toEqual([
      'pass failed controller=ipam key=n999 ' +
        'error="give node \\"n999\\" addresses: none of 999 is left" folded=990',
    ])
    log.warn('pass failed', {
      controller: 'ipam',
      error: 'give node "x" addresses: none of 1 is left',
    })
    await clock.advance(60_000)
    expect(said()).toHaveLength(1)
  })

  test('are told apart by what is wrong, and from whom', () => {
    const { log, said } = aLog()
    for (let i = 0; i < 20; i++) {
      log.warn('pass failed', { controller: 'a', error: new Error('no room') })
      log.warn('pass failed', { controller: 'b', error: new Error('no room') })
      log.warn('pass failed', { controller: 'a', error: new Error('no way') })
    }
    expect(said()).toHaveLength(30)
  })

  test('are news when they tell of different things that went well', () => {
    const { log, said } = aLog()
    for (let i = 0; i < 20; i++) log.info('node connected', { node: `n${i}` })
    for (let i = 0; i < 20; i++) log.info('node connected', { node: 'same' })
    expect(said()).toHaveLength(30)
  })

  test('are all there for who asks for details', () => {
    const { log, said } = aLog('debug')
    for (let i = 0; i < 20; i++) log.debug('event refused')
    expect(said()).toHaveLength(20)
  })

  test('are remembered in a bounded number of kinds', () => {
    const { clock, log, said } = aLog()
    let timers = 0
    const after = clock.after.bind(clock)
    clock.after = (ms, run) => {
      timers++
      const cancel = after(ms, run)
      return () => {
        timers--
        cancel()
      }
    }
    for (let i = 0; i < 5000; i++) log.info(`kind ${i}`)
    expect([said().length, timers]).toEqual([5000, 500])
  })
})
