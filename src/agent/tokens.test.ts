import { expect, test } from 'bun:test'
import { dueAtMs } from './tokens.ts'

test('a token is due after 80 % of its life, or after a day', () => {
  const token = (iat: number, exp: number) =>
    `h.${Buffer.from(JSON.stringify({ iat, exp })).toString('base64url')}.s`
  expect(dueAtMs(token(1000, 2000))).toBe(1_800_000)
  expect(dueAtMs(token(0, 1_000_000))).toBe(24 * 60 * 60 * 1000)
  expect(dueAtMs('nonsense')).toBe(0)
})
