// Nothing of a Secret is to be found on the disk, whatever it went through; and what was there
// before is found by nobody any more.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { SimClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { SeededRandom } from '../../lib/random.ts'
import { openStore } from '../../store/open.ts'
import { openEncrypted } from './open-encrypted.ts'
import { ValueCipher } from './value-cipher.ts'

const SECRETS = '/api/v1/namespaces/default/secrets'
const CANARY = 'canary-in-a-coal-mine'
/** A name is in the key, which is not encrypted. */
const FORMS = [CANARY, btoa(CANARY), btoa(`${CANARY} `).slice(0, -4)]
const DAY_MS = 24 * 3600 * 1000

let dir = ''
let clock = new SimClock()
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'encryption-'))
  clock = new SimClock()
})
afterEach(() => rm(dir, { recursive: true }))

const open = () => openStore({ path: join(dir, 'db', 'state.db'), clock })
const random = new SeededRandom(7)

const encrypted = () =>
  openEncrypted({
    open,
    keysPath: join(dir, 'keys.json'),
    prefixes: ['secrets/'],
    random,
    log: silentLog,
  })

/** The files in which one of `forms` stands. */
async function filesWith(forms: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir(dir, { recursive: true })) {
    const path = join(dir, name)
    if (!(await stat(path)).isFile()) continue
    const bytes = await readFile(path)
    if (forms.some((form) => bytes.includes(form))) found.push(name)
  }
  return found
}

/** Creates, replaces, patches and deletes Secrets that hold the canary. */
async function useSecrets(server: TestServer): Promise<void> {
  const metadata = { name: 'a', annotations: { note: CANARY } }
  const data = { metadata, stringData: { password: CANARY } }
  expect((await server.call('POST', SECRETS, { body: data })).code).toBe(201)
  expect((await server.call('PUT', `${SECRETS}/a`, { body: data })).code).toBe(200)
  const headers = { 'content-type': 'application/merge-patch+json' }
  const body = { stringData: { other: `${CANARY} ` } }
  expect((await server.call('PATCH', `${SECRETS}/a`, { body, headers })).code).toBe(200)
  const gone = { ...data, metadata: { name: 'gone' } }
  expect((await server.call('POST', SECRETS, { body: gone })).code).toBe(201)
  expect((await server.call('DELETE', `${SECRETS}/gone`)).code).toBe(200)
}

const password = async (server: TestServer) =>
  atob((await server.call('GET', `${SECRETS}/a`)).json.data.password)

async function takeSnapshot(server: TestServer): Promise<void> {
  await clock.advance(DAY_MS)
  const body = { metadata: { name: `at-${clock.nowMs()}` } }
  await server.call('POST', '/api/v1/namespaces/default/configmaps', { body })
}

test('the file, its log and its snapshot hold nothing of a Secret', async () => {
  const store = await encrypted()
  const server = await testServer({ store, clock })
  await useSecrets(server)
  const body = { metadata: { name: 'plain' }, data: { k: 'seen-by-all' } }
  await server.call('POST', '/api/v1/namespaces/default/configmaps', { body })
  expect(await filesWith(FORMS)).toEqual([])
  expect(await filesWith(['seen-by-all'])).not.toEqual([])
  await takeSnapshot(server)
  await server.close()
  expect(await filesWith(['seen-by-all'])).toContain('db/state.db.snapshot')
  expect(await filesWith(FORMS)).toEqual([])

  const again = await testServer({ store: await encrypted(), clock, bootstrap: false })
  expect(await password(again)).toBe(CANARY)
  await again.close()
  expect((await stat(join(dir, 'keys.json'))).mode & 0o777).toBe(0o600)
})

test('what was stored plain is read, rewritten at the start, and gone from the disk', async () => {
  const before = await testServer({ store: await open(), clock })
  await useSecrets(before)
  for (let i = 0; i < 150; i++) {
    const body = { metadata: { name: `many-${i}` }, stringData: { password: CANARY.repeat(40) } }
    await before.call('POST', SECRETS, { body })
  }
  await takeSnapshot(before)
  await before.close()
  const held = await filesWith(FORMS)
  expect(held.toSorted()).toEqual(['db/state.db', 'db/state.db.snapshot'])

  const after = await testServer({ store: await encrypted(), clock, bootstrap: false })
  expect(await filesWith(FORMS)).toEqual([])
  expect(await password(after)).toBe(CANARY)
  const list = await after.call('GET', SECRETS)
  expect(list.json.items.length).toBe(151)
  await after.close()
  expect(await filesWith(FORMS)).toEqual([])
})

test('watches, also those of the past, tell of Secrets as they are', async () => {
  const server = await testServer({ store: await encrypted(), clock })
  const { json } = await server.call('GET', SECRETS)
  await useSecrets(server)
  const url = `${SECRETS}?watch=1&resourceVersion=${json.metadata.resourceVersion}`
  const watch = await server.watch(url)
  const seen = [await watch.next(), await watch.next(), await watch.next(), await watch.next()]
  expect(seen.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'ADDED', 'DELETED'])
  for (const { object } of seen) expect(atob(object.data.password)).toBe(CANARY)
  await watch.stop()
  await server.close()
})

test('a new key takes over at the next start, and the old one may go', async () => {
  const path = join(dir, 'keys.json')
  const first = await testServer({ store: await encrypted(), clock })
  await useSecrets(first)
  await first.close()
  const { keys } = JSON.parse(await readFile(path, 'utf8'))
  const next = { name: 'key2', secret: Buffer.from(random.bytes(32)).toString('base64') }
  await writeFile(path, JSON.stringify({ keys: [next, ...keys] }))
  await (await encrypted()).close()
  await writeFile(path, JSON.stringify({ keys: [next] }))
  const second = await testServer({ store: await encrypted(), clock, bootstrap: false })
  expect(await password(second)).toBe(CANARY)
  await second.close()
})

test('nothing starts without the key, or with keys that make no sense', async () => {
  const path = join(dir, 'keys.json')
  const server = await testServer({ store: await encrypted(), clock })
  await useSecrets(server)
  await server.close()
  const kept = await readFile(path, 'utf8')
  await rm(path)
  const missing = `encrypted with a key that is not in ${path}: put the file back`
  await expect(encrypted()).rejects.toThrow(missing)
  // It was not made anew: that would hide what has happened.
  await expect(stat(path)).rejects.toThrow('ENOENT')
  const other = { name: 'other', secret: Buffer.alloc(32).toString('base64') }
  await writeFile(path, JSON.stringify({ keys: [other] }))
  await expect(encrypted()).rejects.toThrow(missing)
  for (const [text, why] of [
    ['', 'it is no JSON with a list of keys'],
    ['null', 'it is no JSON with a list of keys'],
    ['{"keys":[]}', 'there is no key in it'],
    ['{"keys":[null]}', 'a key has no proper name'],
    ['{"keys":[{"name":"a:b"}]}', 'a key has no proper name'],
    ['{"keys":[{"name":"a","secret":"eA=="}]}', 'key a is not 32 bytes in base64'],
    [JSON.stringify({ keys: [other, other] }), 'two keys have one name'],
  ] as const) {
    await writeFile(path, text)
    await expect(encrypted()).rejects.toThrow(`${path} cannot be used: ${why}`)
  }
  await writeFile(path, kept)
  await (await encrypted()).close()
})

test('a value that was moved or changed does not open', () => {
  const cipher = new ValueCipher([{ name: 'k', secret: random.bytes(32) }], random)
  const sealed = cipher.seal('secrets/a/one', 'text')
  expect(cipher.open('secrets/a/one', sealed)).toBe('text')
  expect(cipher.seal('secrets/a/one', 'text')).not.toBe(sealed)
  expect(() => cipher.open('secrets/b/one', sealed)).toThrow('open secrets/b/one: it was changed')
  const at = sealed.lastIndexOf(':') + 1
  for (const broken of [
    ...Array.from({ length: sealed.length - at }, (_, i) => {
      const char = sealed[at + i] === 'A' ? 'B' : 'A'
      return sealed.slice(0, at + i) + char + sealed.slice(at + i + 1)
    }),
    ...[sealed.slice(0, -4), sealed.slice(0, at), sealed.slice(0, at + 8), 'kedge:enc:x:'],
  ]) {
    if (sameBytes(broken, sealed)) continue
    expect(() => cipher.open('secrets/a/one', broken)).toThrow('open secrets/a/one: ')
  }
})

/** The last character of base64 may say less than it could. */
function sameBytes(a: string, b: string): boolean {
  const bytes = (text: string) => Buffer.from(text.slice(text.lastIndexOf(':') + 1), 'base64')
  return a.startsWith('kedge:enc:aesgcm') && bytes(a).equals(bytes(b))
}
