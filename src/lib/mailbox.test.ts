import { expect, test } from 'bun:test'
import { SimClock } from './clock.ts'
import { Mailbox } from './mailbox.ts'

const never = new AbortController().signal

test('the reader gets the newest letter, once', async () => {
  const box = new Mailbox<string>(new SimClock())
  box.put('old')
  box.put('new')
  expect(await box.newest(never)).toBe('new')
  const next = box.newest(never)
  box.nudge()
  expect(await next).toBe('new')
})

test('a reader that nudges itself hears of the end', async () => {
  const box = new Mailbox<string>(new SimClock())
  const stop = new AbortController()
  box.put('letter')
  stop.abort(new Error('over'))
  expect(box.newest(stop.signal)).rejects.toThrow('over')
})

test('a waiting reader hears of the end', async () => {
  const box = new Mailbox<string>(new SimClock())
  const stop = new AbortController()
  const waiting = box.newest(stop.signal)
  stop.abort(new Error('over'))
  expect(waiting).rejects.toThrow('over')
})

test('a nudge comes when its time has come', async () => {
  const clock = new SimClock()
  const box = new Mailbox<string>(clock)
  box.put('letter')
  await box.newest(never)
  let isRead = false
  const reading = box.newest(never).then(() => {
    isRead = true
  })
  box.nudgeIn(100)
  await clock.advance(99)
  expect(isRead).toBe(false)
  await clock.advance(1)
  await reading
  expect(isRead).toBe(true)
})
