import { expect, test } from 'bun:test'
import { SystemClock } from '../clock.ts'
import { systemPty } from './pty.ts'

test('a program in a terminal is told when the size changes', async () => {
  const script = 'trap "stty size; kill $!; exit 0" WINCH; echo up; sleep 60 & wait'
  let seen = ''
  const up = Promise.withResolvers<void>()
  const child = systemPty(new SystemClock())(['sh', '-c', script], (bytes) => {
    seen += Buffer.from(bytes).toString()
    if (seen.includes('up')) up.resolve()
  })
  await up.promise
  child.resize(120, 44)
  expect(await child.exited).toBe(0)
  expect(seen).toContain('44 120')
})
