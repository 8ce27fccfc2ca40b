// Words that every object of JavaScript inherits are words like any other. Each request is sent
// twice, with such a word and with a harmless one of the same shape; the answers must be the same.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { objectType } from '../../src/api/schema/schema.ts'
import { SimClock } from '../../src/lib/clock.ts'
import { type TestServer, testServer } from '../support/server.ts'
import { oneOfEachKind } from './corpus.ts'
import { PLACES, type Send } from './keys.ts'
import { placesOf } from './places.ts'

const PAIRS = [
  ['constructor', 'constructoz'],
  ['__proto__', '__protz__'],
  ['toString', 'toStrinz'],
  ['hasOwnProperty', 'hasOwnPropertz'],
] as const

describe.each(PAIRS)('%s is as good a word as %s', (word, plain) => {
  let hostile: TestServer
  let harmless: TestServer
  beforeAll(async () => {
    hostile = await world()
    harmless = await world()
  })
  afterAll(async () => {
    await hostile.close()
    await harmless.close()
  })

  /** Says what differs between the two worlds after the same steps. */
  async function differing(steps: (send: Send, word: string) => Promise<void>) {
    const [first, second] = [
      await answersOf(hostile, word, steps),
      await answersOf(harmless, plain, steps),
    ]
    return first.flatMap((answer, i) => {
      const same = SPELLINGS.reduce((t, as) => t.replaceAll(as(word), as(plain)), answer)
      return same === second[i] ? [] : [{ got: same, wanted: second[i] }]
    })
  }

  test.each(oneOfEachKind().map((seed) => [seed.collection, seed] as const))(
    'in every field of what is posted to %s',
    async (collection, { row, object }) => {
      const found = await differing(async (send, word) => {
        for (const { put } of placesOf(objectType(row.type))) {
          const body = structuredClone(object)
          put(body, word)
          await send('POST', `${collection}?dryRun=All&fieldValidation=Strict`, {
            body,
          })
        }
      })
      expect(found).toEqual([])
    },
    60_000,
  )

  test.each(Object.entries(PLACES))('in %s', async (_, steps) => {
    expect(await differing(steps)).toEqual([])
  })
})

/** The clock stands still, so that equal steps have equal answers. */
async function world(): Promise<TestServer> {
  const server = await testServer({ clock: new SimClock() })
  const body = { metadata: { name: 'default' } }
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body })
  return server
}

async function answersOf(
  server: TestServer,
  word: string,
  steps: (send: Send, word: string) => Promise<void>,
) {
  const answers: string[] = []
  await steps(async (method, path, call = {}) => {
    const answer = await server.call(method, path, call)
    const headers = ['content-type', 'warning', 'location'].map((name) => answer.headers.get(name))
    answers.push(`${method} ${path} ${answer.code} ${headers.join(' ')} ${sorted(answer)}`)
    return answer.json
  }, word)
  return answers
}

/** A header's name comes in lower case, a body that is no object is shown in hexadecimal digits. */
const SPELLINGS = [
  (word: string) => word,
  (word: string) => word.toLowerCase(),
  (word: string) => Buffer.from(word).toString('hex'),
]

/** Audit ids and the order of keys do not count. */
function sorted({ text, json }: { text: string; json: unknown }): string {
  if (json === undefined) return text
  return JSON.stringify(json, (_, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}
