import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestCluster } from '../../../test/support/cluster.ts'
import { certificateSigningRequests } from '../../api/kinds/certificates/certificatesigningrequest/row.ts'
import { secrets } from '../../api/kinds/core/secret/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import { clusterRoles } from '../../api/kinds/rbac/rbac.ts'
import type {
  CertificateSigningRequest,
  ClusterRole,
  PolicyRule,
} from '../../api/schema/generated/types.ts'
import { SimClock } from '../../lib/clock.ts'
import { removeIfAny } from '../../lib/files.ts'
import { SeededRandom } from '../../lib/random.ts'
import { ensureAuthority } from '../../pki/authority.ts'
import { readCertificate } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import { SIGNER, type SigningWish, signCsr } from '../../pki/signer.ts'
import { conditionOf } from '../conditions.ts'
import { clusterRoleAggregationController, planRules } from './clusterrole-aggregation.ts'
import { csrApprovingController, rightsFor } from './csr-approver.ts'
import { csrCleaningController, endsAtMs } from './csr-cleaner.ts'
import { csrSigningController } from './csr-signer.ts'
import { tokenCleanerController } from './token-cleaner.ts'
import { tokenSecretController } from './token-secret.ts'

const NODE = 'system:node:a'

async function aRequest(
  spec: Partial<CertificateSigningRequest['spec']> = {},
  commonName = NODE,
): Promise<CertificateSigningRequest> {
  const { csr } = await createCsr({ commonName, organizations: ['system:nodes'] })
  return {
    metadata: { name: 'csr-a' },
    spec: {
      request: Buffer.from(csr).toString('base64'),
      signerName: SIGNER.kubeletClient,
      usages: ['digital signature', 'client auth'],
      ...spec,
    },
  }
}

const clock = new SimClock(Date.UTC(2026, 0, 1))
const random = new SeededRandom(1)
const dir = await mkdtemp(join(tmpdir(), 'kedge-identity-'))
const authority = await ensureAuthority({ dir, name: 'ca', commonName: 'ca' }, { clock, random })
afterAll(() => removeIfAny(dir))
const sign = (wish: SigningWish) => signCsr(wish, { authority, clock, random })

describe('a request for a certificate', () => {
  test('is approved for a kubelet that may have one, and signed', async () => {
    const controllers = [csrApprovingController, csrSigningController(sign)]
    await using cluster = await TestCluster.start({ controllers })
    await cluster.create(certificateSigningRequests, await aRequest())
    const { status } = (await cluster.get(certificateSigningRequests, 'csr-a'))!
    expect(status!.conditions![0]).toMatchObject({
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
    })
    const certificate = Buffer.from(status!.certificate!, 'base64').toString()
    expect(readCertificate(certificate)).toMatchObject({ commonName: NODE })
    expect(cluster.warnings).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })

  test('waits for a person when it is for anything else', async () => {
    await using cluster = await TestCluster.start({ controllers: [csrApprovingController] })
    const usages = ['digital signature', 'client auth']
    const other = { signerName: SIGNER.client, usages }
    await cluster.create(certificateSigningRequests, await aRequest(other, 'jane'))
    const { status } = (await cluster.get(certificateSigningRequests, 'csr-a'))!
    expect(status?.conditions ?? []).toEqual([])
  })

  test('is tried by the right of its sender: for itself, or for others', async () => {
    const rights = async (csr: CertificateSigningRequest) =>
      (await rightsFor(csr)).map((right) => right.subresource)
    expect(await rights(await aRequest({ username: NODE }))).toEqual([
      'selfnodeclient',
      'nodeclient',
    ])
    expect(await rights(await aRequest({ username: 'system:bootstrap:abcdef' }))).toEqual([
      'nodeclient',
    ])
    expect(await rights(await aRequest({ usages: ['server auth'] }))).toEqual([])
    expect(await rights(await aRequest({ signerName: SIGNER.client }))).toEqual([])
  })

  test('is kept for a day, and for an hour once it was decided', async () => {
    const creationTimestamp = '2026-01-01T00:00:00Z'
    const startMs = Date.UTC(2026, 0, 1)
    const csr = await aRequest()
    csr.metadata.creationTimestamp = creationTimestamp
    const hours = (status?: CertificateSigningRequest['status']) =>
      (endsAtMs({ ...csr, ...(status ? { status } : {}) })! - startMs) / 3_600_000
    const decided = (type: string) => ({
      conditions: [{ type, status: 'True', lastUpdateTime: creationTimestamp }],
    })
    expect(hours()).toBe(24)
    expect(hours(decided('Denied'))).toBe(1)
    expect(hours(decided('Failed'))).toBe(1)
    expect(hours(decided('Approved'))).toBe(24)
  })

  test('that nobody decided is removed after a day, and not before', async () => {
    await using cluster = await TestCluster.start({ controllers: [csrCleaningController] })
    await cluster.create(certificateSigningRequests, await aRequest())
    await cluster.clock.advance(23 * 3_600_000)
    await cluster.settle()
    expect(await cluster.get(certificateSigningRequests, 'csr-a')).toBeDefined()
    await cluster.clock.advance(3_601_000)
    await cluster.settle()
    expect(await cluster.get(certificateSigningRequests, 'csr-a')).toBeUndefined()
  })

  test('that its signer refuses is marked with the reason', async () => {
    const controllers = [csrSigningController(sign)]
    await using cluster = await TestCluster.start({ controllers })
    const csr = await cluster.create(
      certificateSigningRequests,
      await aRequest({ signerName: SIGNER.client, usages: ['server auth'] }),
    )
    const approved = { type: 'Approved', status: 'True', reason: 'Test', message: '' }
    const object = { ...csr, status: { conditions: [approved] } }
    const { client, signal } = cluster
    await client.updatePart(certificateSigningRequests, object, 'approval', signal)
    await cluster.settle()
    const { status } = (await cluster.get(certificateSigningRequests, 'csr-a'))!
    expect(conditionOf(status!.conditions, 'Failed')).toMatchObject({
      reason: 'SignerValidationFailure',
      message: 'invalid usage for client certificate: server auth',
    })
  })
})

describe('a bootstrap token', () => {
  test('is removed the moment it expires', async () => {
    await using cluster = await TestCluster.start({ controllers: [tokenCleanerController] })
    const stringData = (expiration: string) => ({
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      expiration,
    })
    const type = 'bootstrap.kubernetes.io/token'
    const metadata = { name: 'bootstrap-token-abcdef', namespace: 'kube-system' }
    const token = { metadata, type, stringData: stringData('2026-01-01T01:00:00Z') }
    await cluster.create(secrets, token)
    await cluster.clock.advance(3_590_000)
    await cluster.settle()
    expect(await cluster.get(secrets, metadata.name, 'kube-system')).toBeDefined()
    await cluster.clock.advance(11_000)
    await cluster.settle()
    expect(await cluster.get(secrets, metadata.name, 'kube-system')).toBeUndefined()
  })
})

describe('an aggregated ClusterRole', () => {
  const rule = (resource: string): PolicyRule => ({
    apiGroups: [''],
    resources: [resource],
    verbs: ['get'],
  })
  const part = (name: string, rules: PolicyRule[], to = 'true'): ClusterRole => ({
    metadata: { name, labels: { 'to-whole': to } },
    rules,
  })
  const whole: ClusterRole = {
    metadata: { name: 'whole' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'to-whole': 'true' } }] },
  }

  test('has the rules of its parts, each once, in the order of their names', () => {
    const parts = [part('b', [rule('pods')]), part('a', [rule('nodes'), rule('pods')])]
    const others = [part('c', [rule('secrets')], 'false')]
    const rules = planRules(whole, [...parts, ...others, whole])
    expect(rules).toEqual([rule('nodes'), rule('pods')])
  })

  test('follows its parts', async () => {
    const controllers = [clusterRoleAggregationController]
    await using cluster = await TestCluster.start({ controllers })
    await cluster.create(clusterRoles, whole)
    await cluster.create(clusterRoles, part('a', [rule('pods')]))
    expect((await cluster.get(clusterRoles, 'whole'))!.rules).toEqual([rule('pods')])
    await cluster.remove(clusterRoles, 'a')
    expect((await cluster.get(clusterRoles, 'whole'))!.rules ?? []).toEqual([])
    expect(await cluster.writesOfOneMorePass()).toEqual([])
  })
})

describe('a Secret that asks for a token', () => {
  const type = 'kubernetes.io/service-account-token'
  const aSecret = (account: string) => ({
    metadata: {
      name: 'token',
      namespace: 'default',
      annotations: { 'kubernetes.io/service-account.name': account },
    },
    type,
  })
  const aCluster = () =>
    TestCluster.start({ controllers: [tokenSecretController(() => 'PEM')], asAdmin: true })

  test('gets one, and goes with its account', async () => {
    await using cluster = await aCluster()
    const metadata = { name: 'robot', namespace: 'default' }
    const account = await cluster.create(serviceAccounts, { metadata })
    await cluster.create(secrets, aSecret('robot'))
    const secret = (await cluster.get(secrets, 'token'))!
    const read = (key: string) => Buffer.from(secret.data![key] ?? '', 'base64').toString()
    expect(read('namespace')).toBe('default')
    expect(read('ca.crt')).toBe('PEM')
    const [, claims] = read('token').split('.')
    expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toMatchObject({
      sub: 'system:serviceaccount:default:robot',
      'kubernetes.io': { secret: { name: 'token', uid: secret.metadata.uid } },
    })
    expect(secret.metadata.annotations).toMatchObject({
      'kubernetes.io/service-account.uid': account.metadata.uid,
    })
    expect(await cluster.writesOfOneMorePass()).toEqual([])
    await cluster.remove(serviceAccounts, 'robot')
    expect(await cluster.get(secrets, 'token')).toBeUndefined()
    expect(cluster.warnings).toEqual([])
  })

  test('of an account that is not there is removed', async () => {
    await using cluster = await aCluster()
    await cluster.create(secrets, aSecret('nobody'))
    expect(await cluster.get(secrets, 'token')).toBeUndefined()
  })
})
