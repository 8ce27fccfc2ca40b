// Every kind under every extreme of a legal name: created, read, listed, patched, selected by its
// field, and deleted, by the path that holds the name with its percent signs.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { isDnsLabelName, isDnsSubdomainName, isPathSegmentName } from '../../src/api/names.ts'
import type { AnyRow } from '../../src/api/resource.ts'
import { pathOf } from '../../src/api/resource.ts'
import { type TestServer, testServer } from '../support/server.ts'
import { NAMESPACE, oneOfEachKind, type Seed } from './corpus.ts'

const LABELS = ['a', '0', 'a'.repeat(63), 'a-b', 'constructor', '1-1']
const SUBDOMAINS = [...LABELS, 'a.b', 'a'.repeat(253), `${'a.'.repeat(126)}b`, '0.0']
const SEGMENTS = [
  ...[
    ...SUBDOMAINS,
    'operator binding',
    'роль',
    '日本',
    '👩‍👩‍👧',
    'A',
    '...',
    '.a',
    '..a',
    ' ',
    'a ',
  ],
  ...['a?b', 'a#b', 'a&b=c', 'a+b', 'a;b', 'a:b', 'a@b', "a'b", 'a"b', 'a\\b', 'a\tb', 'a\nb'],
  ...['\u0000', '\u007f', '\u2028', '\ufeff', '__proto__', '*', 'ß', 'é', 'e\u0301', '\ufffd'],
  ...['a'.repeat(1000), '日'.repeat(300), 'status', 'watch', 'namespaces', '{a}', '[a]', 'a,b=c'],
]

/** Those of the candidates that the kind itself takes, whichever its rule is. */
function legalNames(row: AnyRow): string[] {
  const all = [...new Set([...LABELS, ...SUBDOMAINS, ...SEGMENTS])]
  return all.filter((name) => row.nameRule(name, false).length === 0)
}

let server: TestServer
beforeAll(async () => {
  server = await testServer()
  const body = { metadata: { name: 'default' } }
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body })
})
afterAll(() => server.close())

const seeds = oneOfEachKind().filter(({ row }) => row.verbs.includes('get'))

test('the rules for names are tried where they are widest', () => {
  expect(SEGMENTS.every((name) => isPathSegmentName(name, false).length === 0)).toBe(true)
  expect(SUBDOMAINS.every((name) => isDnsSubdomainName(name, false).length === 0)).toBe(true)
  expect(LABELS.every((name) => isDnsLabelName(name, false).length === 0)).toBe(true)
  const roles = seeds.find(({ row }) => row.plural === 'clusterroles')!.row
  expect(legalNames(roles).length).toBe(new Set(SEGMENTS).size)
})

test.each(seeds.map((seed) => [seed.row.plural, seed.row.group, seed] as const))(
  '%s.%s are served under every name that is legal',
  async (_plural, _group, seed) => {
    const wrong: string[] = []
    for (const name of legalNames(seed.row)) wrong.push(...(await faultsOf(seed, name)))
    expect(wrong).toEqual([])
  },
)

async function faultsOf({ row, object, collection }: Seed, name: string): Promise<string[]> {
  const namespace = row.scope === 'Namespaced' ? NAMESPACE : undefined
  const path = pathOf(row, { namespace, name })
  const faults: string[] = []
  const ask = async (method: string, target: string, call = {}) => {
    const answer = await server.call(method, target, call)
    if (answer.code >= 300) faults.push(`${method} ${target} ${answer.code} ${answer.text}`)
    return answer.json
  }
  const metadata = { ...(object.metadata as object), name }
  const made = await server.call('POST', collection, { body: { ...object, metadata } })
  // Some kinds want more of a name than their rule says; that is told with a 4xx, never a 500.
  if (made.code >= 400 && made.code < 500) return []
  if (made.code !== 201) return [`POST ${name} ${made.code} ${made.text}`]
  const same = (got: unknown) => {
    if (got !== name) faults.push(`${path}: got the name ${JSON.stringify(got)}`)
  }
  same((await ask('GET', path))?.metadata?.name)
  const headers = { 'content-type': 'application/merge-patch+json' }
  same(
    (await ask('PATCH', path, { headers, body: { metadata: { annotations: { a: 'b' } } } }))
      ?.metadata?.name,
  )
  if (!/[,=\\!]/.test(name)) {
    const selector = encodeURIComponent(`metadata.name=${name}`)
    const list = await ask('GET', `${collection}?fieldSelector=${selector}`)
    same(list?.items?.[0]?.metadata?.name)
  }
  await ask('GET', `${path}`, {
    headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
  })
  const gone = await server.call('DELETE', `${path}?gracePeriodSeconds=0`)
  if (gone.code !== 200) faults.push(`DELETE ${path} ${gone.code} ${gone.text}`)
  return faults
}
