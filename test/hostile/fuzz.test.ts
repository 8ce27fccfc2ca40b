import { expect, test } from 'bun:test'
import { fuzz } from './fuzz.ts'

/** The short form of `npm run fuzz`: always the same tries, so that it is red for a reason. */
const TRIES = 3000

test('made-up input is refused or taken, and never stumbled over', async () => {
  const { finds, tries } = await fuzz({ seed: 1, until: (tries) => tries >= TRIES })
  expect(finds).toEqual([])
  expect(tries).toBe(TRIES)
}, 120_000)
