import { describe, expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import { createCsr } from '../../../pki/csr.ts'

const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const ROLES = '/apis/rbac.authorization.k8s.io/v1'
const CLIENT = 'kubernetes.io/kube-apiserver-client'
const MERGE = { 'content-type': 'application/merge-patch+json' }
const eve = { username: 'eve', groups: ['system:authenticated'] }
const masters = 'system:masters'

async function ask(server: TestServer, name: string, signerName: string, organizations = ['dev']) {
  const { csr } = await createCsr({ commonName: name, organizations })
  const spec = { request: btoa(csr), signerName, usages: ['client auth'] }
  return server.call('POST', CSRS, { body: { metadata: { name }, spec } })
}

/** Lets eve write requests, and use the signers named. */
async function allow(server: TestServer, verb: string, signers: readonly string[]) {
  const apiGroups = ['certificates.k8s.io']
  const resources = ['/approval', '/status', ''].map((sub) => `certificatesigningrequests${sub}`)
  const rules = [
    { apiGroups, resources, verbs: ['get', 'update', 'patch', 'create'] },
    ...(signers.length === 0
      ? []
      : [{ apiGroups, resources: ['signers'], resourceNames: signers, verbs: [verb] }]),
  ]
  const metadata = { name: 'r' }
  await server.call('POST', `${ROLES}/clusterroles`, { body: { metadata, rules } })
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' }
  const subjects = [{ kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' }]
  const body = { metadata, roleRef, subjects }
  await server.call('POST', `${ROLES}/clusterrolebindings`, { body })
  await Bun.sleep(0)
}

const approve = (server: TestServer, name: string) => {
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Known', message: 'by sight' }]
  const body = { status: { conditions } }
  return server.call('PATCH', `${CSRS}/${name}/approval`, { body, headers: MERGE, user: eve })
}

const sign = (server: TestServer, name: string, status: object) =>
  server.call('PATCH', `${CSRS}/${name}/status`, { body: { status }, headers: MERGE, user: eve })

const failed = { conditions: [{ type: 'Failed', status: 'True', reason: 'x', message: '' }] }

describe('who may write requests for certificates', () => {
  const refusal = (verb: string, name: string, signer: string) =>
    `certificatesigningrequests.certificates.k8s.io "${name}" is forbidden: user not permitted to ${verb} requests with signerName "${signer}"`

  test('approves and signs none without a right to their signer', async () => {
    await using server = await testServer()
    await allow(server, 'approve', [])
    await ask(server, 'a', CLIENT)
    const before = server.store.revision
    const approved = await approve(server, 'a')
    expect([approved.code, approved.json.message]).toEqual([403, refusal('approve', 'a', CLIENT)])
    const signed = await sign(server, 'a', failed)
    expect([signed.code, signed.json.message]).toEqual([403, refusal('sign', 'a', CLIENT)])
    expect(server.store.revision).toBe(before)
  })

  for (const signers of [[CLIENT], ['kubernetes.io/*']]) {
    test(`approves and signs with a right to ${signers}`, async () => {
      for (const [verb, act] of [
        ['approve', approve],
        ['sign', (server: TestServer, name: string) => sign(server, name, failed)],
      ] as const) {
        await using server = await testServer()
        await allow(server, verb, signers)
        await ask(server, 'a', CLIENT)
        await ask(server, 'b', 'example.com/s')
        expect([verb, (await act(server, 'a')).code]).toEqual([verb, 200])
        expect([verb, (await act(server, 'b')).code]).toEqual([verb, 403])
      }
    })
  }

  test('may write a status that signs nothing', async () => {
    await using server = await testServer()
    await allow(server, 'sign', [])
    await ask(server, 'a', CLIENT)
    expect((await sign(server, 'a', {})).code).toBe(200)
  })
})

test('nobody asks for the certificate of an administrator, wherever the group stands', async () => {
  await using server = await testServer()
  const why = `use of ${CLIENT} signer with system:masters group is not allowed`
  for (const organizations of [[masters], ['dev', masters], [masters, 'dev']]) {
    const { code, json } = await ask(server, 'a', CLIENT, organizations)
    expect([code, json.message]).toEqual([
      403,
      `certificatesigningrequests.certificates.k8s.io "a" is forbidden: ${why}`,
    ])
  }
  expect((await ask(server, 'b', CLIENT, ['system:mastersx', 'O=system:masters'])).code).toBe(201)
  expect((await ask(server, 'c', 'example.com/s', [masters])).code).toBe(201)
})
