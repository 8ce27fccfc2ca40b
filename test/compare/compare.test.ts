// Compares kedge's answers with those of Kubernetes, request by request.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { ADMIN, type TestServer, testServer } from '../support/server.ts'
import { answersOf, CASES, caseNames, recordingsOf, requestsOf } from './cases.ts'
import { differences } from './differences.ts'
import { type Answer, play } from './play.ts'

/** Watches take a second each. */
const FILE_TIMEOUT_MS = 60_000
/** Who the recording was made by: somebody with a client certificate. */
const CLIENT = {
  ...ADMIN,
  extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${'0'.repeat(64)}`] },
}
const used = new Set<unknown>()

for (const name of caseNames()) {
  const requests = requestsOf(name)
  const wanted = answersOf(name)

  describe(name, () => {
    let server: TestServer
    let got: Answer[] = []
    beforeAll(async () => {
      server = await testServer()
      const { app } = server
      const where = { origin: 'https://kedge.test', namespace: 'cmp-0a1b2c3d' }
      got = await play(requests, (request) => app.fetch(request, { user: CLIENT }), where)
    }, FILE_TIMEOUT_MS)
    afterAll(() => server.close())

    requests.forEach((request, index) => {
      test(request.name, () => {
        expect(wanted[index]?.name).toBe(request.name)
        const found = differing(wanted[index], got[index], '')
        expect(found.filter(({ path }) => !isMeant(name, request.name, path))).toEqual([])
      })
    })
  })
}

test('every difference that is meant still occurs', () => {
  expect(differences.filter((difference) => !used.has(difference))).toEqual([])
})

test('every file is a case in the folder of its group, or the one recording of a case', () => {
  const known = caseNames().flatMap((name) => [
    `${name}.http`,
    ...recordingsOf(name).map(({ path }) => path.slice(CASES.length)),
  ])
  const found = readdirSync(CASES, { recursive: true, encoding: 'utf8' })
  expect(found.filter((path) => path.includes('.')).sort()).toEqual(known.sort())
  expect(known.filter((path) => path.split('/').length !== 2)).toEqual([])
})

function isMeant(file: string, request: string, path: string): boolean {
  const meant = differences.filter(
    (difference) =>
      (difference.file === '*' || difference.file === file) &&
      (difference.request === '*' || difference.request === request) &&
      difference.at.test(path),
  )
  for (const difference of meant) used.add(difference)
  return meant.length > 0
}

type Found = { path: string; wanted: unknown; got: unknown }

function differing(wanted: unknown, got: unknown, path: string): Found[] {
  if (Bun.deepEquals(wanted, got, true)) return []
  const [a, b] = [entriesOf(wanted), entriesOf(got)]
  if (a === undefined || b === undefined || Array.isArray(wanted) !== Array.isArray(got)) {
    return [{ path, wanted, got }]
  }
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((key) => {
    const step = Array.isArray(wanted) ? `[${key}]` : path === '' ? key : `.${key}`
    return differing(a.get(key), b.get(key), path + step)
  })
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined
}
