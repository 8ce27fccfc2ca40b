import { expect, test } from 'bun:test'
import { testServer } from '../../../../test/support/server.ts'
import { type Random, SeededRandom } from '../../../lib/random.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const generated = { metadata: { generateName: 'g-' } }

/** Draws the letters of names from a list, over and over; all else from a seed. */
class ScriptedRandom implements Random {
  readonly #others = new SeededRandom(1)
  #draws = 0
  readonly #numbers: readonly number[]

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  next(): number {
    return this.#numbers[this.#draws++ % this.#numbers.length]!
  }
  uuid(): string {
    return this.#others.uuid()
  }
  bytes(length: number): Uint8Array {
    return this.#others.bytes(length)
  }
}

test('a generated name that is taken is drawn again', async () => {
  // Five letters a name: b… twice, then 9….
  const random = new ScriptedRandom([...Array(10).fill(0), ...Array(5).fill(0.999)])
  await using server = await testServer({ random, bootstrap: false })
  await server.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  const first = await server.call('POST', MAPS, { body: generated })
  const second = await server.call('POST', MAPS, { body: generated })
  expect(first.json.metadata.name).toBe('g-bbbbb')
  expect(second.json.metadata.name).toBe('g-99999')
  expect(second.json.metadata.generateName).toBe('g-')
})

test('when all names are taken, the client hears that trying again may help', async () => {
  await using server = await testServer({ random: new ScriptedRandom([0]), bootstrap: false })
  await server.call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  expect((await server.call('POST', MAPS, { body: generated })).code).toBe(201)
  const refused = await server.call('POST', MAPS, { body: generated })
  expect(refused.json).toMatchObject({ code: 409, reason: 'AlreadyExists' })
  expect(refused.json.message).toContain('not able to generate a unique name')
})

test('what only the server knows is not taken from the client', async () => {
  await using server = await testServer()
  const metadata = {
    name: 'a',
    uid: 'mine',
    creationTimestamp: '2001-01-01T00:00:00Z',
    generation: 7,
    deletionTimestamp: '2001-01-01T00:00:00Z',
    selfLink: '/x',
  }
  const { json } = await server.call('POST', MAPS, { body: { metadata } })
  expect(json.metadata.uid).not.toBe('mine')
  expect(json.metadata.creationTimestamp).not.toStartWith('2001')
  expect(json.metadata).not.toHaveProperty('deletionTimestamp')
  expect(json.metadata).not.toHaveProperty('selfLink')
})

test('a dry run answers as the real one would, and stores nothing', async () => {
  await using server = await testServer()
  const before = server.store.revision
  const body = { metadata: { name: 'a' }, data: { k: 'v' } }
  const dry = await server.call('POST', `${MAPS}?dryRun=All`, { body })
  expect(dry.code).toBe(201)
  expect(dry.json).toMatchObject({ data: { k: 'v' }, metadata: { name: 'a' } })
  expect(dry.json.metadata).not.toHaveProperty('resourceVersion')
  expect(server.store.revision).toBe(before)

  await server.call('POST', MAPS, { body })
  expect((await server.call('POST', `${MAPS}?dryRun=All`, { body })).code).toBe(409)
  expect((await server.call('POST', `${MAPS}?dryRun=Some`, { body })).code).toBe(422)
})

test('unknown and repeated fields are warned of, refused or let pass, as asked for', async () => {
  await using server = await testServer()
  const body = '{"metadata":{"name":"a"},"data":{"k":"v","k":"w"},"bogus":1}'
  const post = (query: string) => server.call('POST', `${MAPS}?dryRun=All${query}`, { body })

  const warned = await post('')
  expect(warned.code).toBe(201)
  expect(warned.json.data).toEqual({ k: 'w' })
  expect(warned.json).not.toHaveProperty('bogus')
  expect(warned.headers.get('warning')).toContain('299 - "unknown field \\"bogus\\""')
  expect(warned.headers.get('warning')).toContain('duplicate field \\"data.k\\"')

  const strict = await post('&fieldValidation=Strict')
  expect(strict.code).toBe(400)
  expect(strict.json.message).toContain('strict decoding error: ')
  expect(strict.json.message).toContain('unknown field "bogus"')

  const ignored = await post('&fieldValidation=Ignore')
  expect([ignored.code, ignored.headers.get('warning')]).toEqual([201, null])
  expect((await post('&fieldValidation=Perhaps')).code).toBe(422)
})

test('the body must be an object of the kind of the path', async () => {
  await using server = await testServer()
  const post = async (body: unknown) => (await server.call('POST', MAPS, { body })).json.message
  expect(await post({ kind: 'Secret', apiVersion: 'v1', metadata: { name: 'a' } })).toBe(
    'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to' +
      ' (core.ConfigMap): unknown conversion',
  )
  expect(await post({ metadata: { name: 'a', namespace: 'other' } })).toBe(
    'the namespace of the provided object does not match the namespace sent on the request',
  )
  expect(await post('')).toContain('unrecognized')
  expect(await post({ metadata: {} })).toBe(
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  )
})

test('of many who create one name, one succeeds', async () => {
  await using server = await testServer()
  const body = { metadata: { name: 'a' } }
  const posts = Array.from({ length: 10 }, () => server.call('POST', MAPS, { body }))
  const codes = (await Promise.all(posts)).map(({ code }) => code)
  expect(codes.toSorted()).toEqual([201, ...Array(9).fill(409)])
})
