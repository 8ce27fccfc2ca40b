import { expect, test } from 'bun:test'
import { fuzz } from './fuzz.ts'

/** The short form of `npm run fuzz`: always the same tries, so that it is red for a reason. */
const TRIES = 3000

test('made-up input is refused or taken, and never stumbled over', async () => {
  const { finds, tries } = await fuzz({ seed: 1, until: (tries) => tries >= TRIES })
  expect(finds).toEqual([])
  expect(tries).toBe(TRIES)
}, 120_000)

/** What found something once: a target by its whole name, so that further ones change nothing. */
const FOUND = [
  { only: 'references of images', seed: 49 },
  { only: 'messages of the tunnel', seed: 10_652 },
]

test.each(FOUND)('what was found once stays mended: %o', async ({ only, seed }) => {
  expect((await fuzz({ seed, only, until: (tries) => tries >= 1 })).finds).toEqual([])
})
