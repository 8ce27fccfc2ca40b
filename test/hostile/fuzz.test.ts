import { expect, test } from 'bun:test'
import { fuzz } from './fuzz.ts'

/** The short form of `npm run fuzz`: always the same tries, so that it is red for a reason. */
const TRIES = 3000

test('made-up input is refused or taken, and never stumbled over', async () => {
  const { finds, tries } = await fuzz({ seed: 1, until: (tries) => tries >= TRIES })
  expect(finds).toEqual([])
  expect(tries).toBe(TRIES)
}, 120_000)

/** Seeds that found something once. */
const FOUND = [5_874_176, 5_891_361]

test('what was found once stays mended', async () => {
  for (const seed of FOUND) {
    expect((await fuzz({ seed, until: (tries) => tries >= 1 })).finds).toEqual([])
  }
})
