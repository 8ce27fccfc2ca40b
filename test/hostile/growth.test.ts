// Nothing that a person sends may cost more than in proportion to its length, beyond the budgets that
// have a name: there is one event loop for all.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { objectType } from '../../src/api/schema/schema.ts'
import { type TestServer, testServer } from '../support/server.ts'
import { type Json, NAMESPACE, oneOfEachKind } from './corpus.ts'
import { excess } from './growth.ts'
import { CASES } from './growth-cases.ts'
import { collectionsOf } from './places.ts'

const TIMEOUT_MS = 120_000

describe('work grows with the input', () => {
  test.each(CASES)('%s', async (_, work) => expect(await excess(work)).toBeUndefined(), TIMEOUT_MS)
})

test('work that grows faster is told', async () => {
  const make = (size: number) => Array.from({ length: size }, (_, i) => i)
  const run = (input: number[]) => input.filter((item) => input.lastIndexOf(-item) > 0)
  expect(await excess({ make, run, size: 4000 })).toContain('for four times the input')
})

describe('every list and map of every kind may be long', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await testServer()
    const body = { metadata: { name: 'default' } }
    await server.call('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { body })
  })
  afterAll(() => server.close())

  test.each(oneOfEachKind().map((seed) => [seed.collection, seed] as const))(
    '%s',
    async (collection, { row, object }) => {
      const slow: string[] = []
      for (const { path, fill } of collectionsOf(objectType(row.type))) {
        const make = (size: number) => {
          const body: Json = structuredClone(object)
          fill(body, size)
          return JSON.stringify(body)
        }
        const run = (body: string) => server.call('POST', `${collection}?dryRun=All`, { body })
        const found = await excess({ make, run, size: 500 })
        if (found !== undefined) slow.push(`${path}: ${found}`)
      }
      expect(slow).toEqual([])
    },
    TIMEOUT_MS,
  )
})
