// Whose a node's name is, through the whole server: joins, renewals, resets, and what is stolen.

import { describe, expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../test/support/server.ts'
import { createCsr, readCsr } from '../../pki/csr.ts'
import { keyFingerprint, nodeKeysName } from '../../pki/node-keys.ts'
import type { RequestEnv } from '../contract.ts'

const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const RECORDS = '/api/v1/namespaces/kube-system/configmaps'
const BOX = { username: 'system:bootstrap:abcdef', groups: ['system:bootstrappers'] }
const MERGE = { 'content-type': 'application/merge-patch+json' }

/** A machine, with a key of its own. */
async function aBox(name: string) {
  const commonName = `system:node:${name}`
  const { csr } = await createCsr({ commonName, organizations: ['system:nodes'] })
  const publicKeySha256 = keyFingerprint((await readCsr(csr)).publicKey)
  const certificate: RequestEnv['clientCertificate'] = {
    commonName,
    organizations: ['system:nodes'],
    issuedBy: 'client',
    publicKeySha256,
  }
  return { name, csr, certificate }
}
type Box = Awaited<ReturnType<typeof aBox>>

async function send(server: TestServer, path: string, env: RequestEnv, body?: object) {
  const init = {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }
  const response = await server.app.fetch(new Request(`http://test${path}`, init), env)
  const { message } = (await response.json()) as { message?: string }
  return { code: response.status, message }
}

function asking({ name, csr }: Box) {
  const usages = ['digital signature', 'client auth']
  const signerName = 'kubernetes.io/kube-apiserver-client-kubelet'
  return {
    metadata: { generateName: `node-${name}-` },
    spec: { request: btoa(csr), signerName, usages },
  }
}

const join = (server: TestServer, box: Box, query = '') =>
  send(server, CSRS + query, { user: BOX }, asking(box))

/** As the node that `by` is, for the key of `box`. */
const renew = (server: TestServer, by: Box, box: Box) =>
  send(server, CSRS, { clientCertificate: by.certificate }, asking(box))

const isKnown = async (server: TestServer, box: Box) =>
  (await send(server, `/api/v1/nodes/${box.name}`, { clientCertificate: box.certificate })).code

const reset = (server: TestServer, name: string) =>
  server.call('PATCH', `${RECORDS}/${nodeKeysName(name)}`, {
    body: { data: { keys: '' } },
    headers: MERGE,
  })

describe("a node's name", () => {
  test('belongs to the first key that asks for it, until it is reset', async () => {
    await using server = await testServer()
    const [first, second] = [await aBox('pi'), await aBox('pi')]
    expect((await join(server, first)).code).toBe(201)
    expect((await join(server, first)).code).toBe(201)
    const refused = await join(server, second)
    expect(refused.code).toBe(403)
    expect(refused.message).toEndWith(
      'is forbidden: the name "pi" belongs to another key: if this is another machine, give it a' +
        ' name of its own (KEDGE_NODE_NAME or --node-name); if it is the same one made anew, run' +
        ' kedge node reset pi on the server and let it join again',
    )
    expect([await isKnown(server, first), await isKnown(server, second)]).toEqual([404, 401])

    expect((await reset(server, 'pi')).code).toBe(200)
    expect(await isKnown(server, first)).toBe(401)
    expect((await join(server, second)).code).toBe(201)
    expect([await isKnown(server, first), await isKnown(server, second)]).toEqual([401, 404])
    expect((await join(server, first)).code).toBe(403)
  })

  test('goes to one of two that ask at once', async () => {
    await using server = await testServer()
    const boxes = await Promise.all([aBox('pi'), aBox('pi'), aBox('pi')])
    const codes = await Promise.all(boxes.map(async (box) => (await join(server, box)).code))
    expect(codes.toSorted()).toEqual([201, 403, 403])
  })

  test('goes on to the keys that its node renews itself with, the last two', async () => {
    await using server = await testServer()
    const [first, second, third] = [await aBox('pi'), await aBox('pi'), await aBox('pi')]
    await join(server, first)
    expect((await renew(server, first, second)).code).toBe(201)
    // The answer was lost: the node still has its first key, and tries with another.
    expect((await renew(server, first, third)).code).toBe(201)
    const known = async () => [await isKnown(server, first), await isKnown(server, third)]
    expect(await known()).toEqual([404, 404])
    expect(await isKnown(server, second)).toBe(401)
    expect((await renew(server, third, third)).code).toBe(201)
    expect(await known()).toEqual([401, 404])
  })

  test('is taken by nobody who only tries, or may not have the certificate', async () => {
    await using server = await testServer()
    const [first, second, third] = [await aBox('pi'), await aBox('pi'), await aBox('pi')]
    expect((await join(server, first, '?dryRun=All')).code).toBe(201)
    const user = { username: 'jane', groups: ['system:authenticated'] }
    expect((await send(server, CSRS, { user }, asking(second))).code).toBe(403)
    expect((await join(server, third)).code).toBe(201)
  })

  test('is not for the next who comes when its node is older than the record', async () => {
    await using server = await testServer()
    const box = await aBox('old')
    await server.call('POST', '/api/v1/nodes', { body: { metadata: { name: 'old' } } })
    const status = { nodeInfo: { kubeletVersion: 'v1.36.0' } }
    await server.call('PATCH', '/api/v1/nodes/old/status', { body: { status }, headers: MERGE })
    expect((await join(server, await aBox('old'))).code).toBe(403)
    expect(await isKnown(server, box)).toBe(200)
  })

  test('of the node in the process of the server is for no other machine', async () => {
    await using server = await testServer()
    expect(await server.app.claimOwnNode('server')).toBe(true)
    expect(await server.app.claimOwnNode('server')).toBe(true)
    expect((await join(server, await aBox('server'))).code).toBe(403)
    await join(server, await aBox('agent'))
    expect(await server.app.claimOwnNode('agent')).toBe(false)
  })

  test('may be as long as names are', async () => {
    await using server = await testServer()
    const name = `${Array(4).fill('a'.repeat(60)).join('.')}.bbbbbbb`
    expect((await join(server, await aBox(name))).code).toBe(201)
    expect((await join(server, await aBox(name))).code).toBe(403)
  })
})
