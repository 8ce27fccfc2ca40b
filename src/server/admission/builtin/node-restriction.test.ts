// What a node tries to say and see through the whole server, and the words it is refused with.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, type TestServer, testServer } from '../../../../test/support/server.ts'
import { createCsr } from '../../../pki/csr.ts'

const NODE = { username: 'system:node:a', groups: ['system:nodes', 'system:authenticated'] }
const MERGE = { 'content-type': 'application/merge-patch+json' }
const POD_RANGE = '10.42.9.0/24'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
  for (const name of ['a', 'b']) {
    await server.call('POST', '/api/v1/nodes', { body: { metadata: { name } } })
  }
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', {
    body: { metadata: { name: 'bot' } },
  })
  await server.call('POST', '/api/v1/namespaces/default/serviceaccounts', {
    body: { metadata: { name: 'default' } },
  })
  for (const [name, nodeName] of [
    ['mine', 'a'],
    ['theirs', 'b'],
  ]) {
    const body = {
      metadata: { name },
      spec: {
        nodeName,
        serviceAccountName: 'bot',
        containers: [{ name: 'c', image: 'i' }],
        volumes: [
          {
            name: 'v',
            projected: { sources: [{ serviceAccountToken: { audience: 'bank', path: 't' } }] },
          },
        ],
      },
    }
    const made = await server.call('POST', '/api/v1/namespaces/default/pods', { body })
    expect(made.code).toBe(201)
  }
  // The authorizer follows the store a moment behind.
  await Bun.sleep(0)
})
afterAll(() => server.close())

const as =
  (user: typeof NODE) =>
  (method: string, path: string, body?: unknown, headers = {}) =>
    server.call(method, path, { user, headers, ...(body === undefined ? {} : { body }) })
const node = as(NODE)

describe('a Node that registers itself', () => {
  const tries: [what: string, body: object, why: string][] = [
    ['ranges', { spec: { podCIDR: '0.0.0.0/0', podCIDRs: ['0.0.0.0/0'] } }, 'set podCIDRs'],
    ['a single range', { spec: { podCIDRs: ['10.42.0.7/32'] } }, 'set podCIDRs'],
    [
      'owners',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }] } },
      'set ownerReferences',
    ],
    [
      'a source of configuration',
      {
        spec: {
          configSource: {
            configMap: { namespace: 'kube-system', name: 'x', kubeletConfigKey: 'k' },
          },
        },
      },
      'create pods with a non-nil configSource',
    ],
    [
      'labels that pods are steered by',
      { metadata: { labels: { 'node-restriction.kubernetes.io/x': '1', 'x.k8s.io/y': '' } } },
      'set the following labels: node-restriction.kubernetes.io/x, x.k8s.io/y',
    ],
  ]
  for (const [what, body, why] of tries) {
    test(`may not bring ${what}`, async () => {
      await server.call('DELETE', '/api/v1/nodes/a')
      const { metadata = {} } = body as { metadata?: object }
      const draft = { ...body, metadata: { ...metadata, name: 'a' } }
      const refused = await node('POST', '/api/v1/nodes', draft)
      expect([refused.code, refused.json.message]).toEqual([
        403,
        `nodes "a" is forbidden: node "a" is not allowed to ${why}`,
      ])
      const plain = { metadata: { name: 'a', labels: { 'node.kubernetes.io/x': '1', fine: '1' } } }
      expect((await node('POST', '/api/v1/nodes', plain)).code).toBe(201)
    })
  }

  const changes: [what: string, body: object, why: string][] = [
    ['its ranges', { spec: { podCIDR: POD_RANGE, podCIDRs: [POD_RANGE] } }, 'modify podCIDRs'],
    ['its taints', { spec: { taints: [] } }, 'modify taints'],
    [
      'its owners',
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }] } },
      'modify ownerReferences',
    ],
  ]
  for (const [what, body, why] of changes) {
    test(`may not change ${what}`, async () => {
      for (const path of ['/api/v1/nodes/a', '/api/v1/nodes/b']) {
        const refused = await node('PATCH', path, body, MERGE)
        expect(refused.code).toBe(403)
        if (path.endsWith('a')) expect(refused.json.message).toEndWith(`is not allowed to ${why}`)
        else expect(refused.json.message).toEndWith('is not allowed to modify node "b"')
      }
    })
  }
})

describe('what a node sees', () => {
  const list = (path: string, selector: string) =>
    node('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`)

  test('of Nodes is itself, however it asks', async () => {
    expect((await node('GET', '/api/v1/nodes/a')).code).toBe(200)
    expect((await list('/api/v1/nodes', 'metadata.name=a')).code).toBe(200)
    expect((await node('GET', '/api/v1/nodes')).json.message).toEndWith(
      "at the cluster scope: node 'a' cannot read all nodes, only its own Node object",
    )
    expect((await node('GET', '/api/v1/nodes/b')).json.message).toEndWith(
      "node 'a' cannot read 'b', only its own Node object",
    )
    for (const selector of [
      ...['metadata.name!=x', 'metadata.name!=x\\,metadata.name=a', 'metadata.name=b'],
      'metadata.name!=x\\\\\\,metadata.name=a',
    ]) {
      expect([selector, (await list('/api/v1/nodes', selector)).code]).toEqual([selector, 403])
    }
  })

  test('of pods is what is bound to it, however it asks', async () => {
    expect((await list('/api/v1/pods', 'spec.nodeName=a')).json.items).toHaveLength(1)
    expect((await node('GET', '/api/v1/namespaces/default/pods/mine')).code).toBe(200)
    expect((await node('GET', '/api/v1/namespaces/default/pods/theirs')).code).toBe(403)
    for (const selector of [
      ...['spec.nodeName=b', 'spec.nodeName!=b', 'metadata.name!=x\\,spec.nodeName=a', ''],
      'spec.nodeName=b,metadata.name!=x\\,spec.nodeName=a',
    ]) {
      expect([selector, (await list('/api/v1/pods', selector)).code]).toEqual([selector, 403])
    }
  })
})

describe('who is a node', () => {
  const tries: [username: string, groups: string[]][] = [
    ['system:node:a', []],
    ['system:node:', ['system:nodes']],
    ['system:node', ['system:nodes']],
    ['bob', ['system:nodes']],
  ]
  for (const [username, groups] of tries) {
    test(`is not ${username} of ${groups.join() || 'no group'}`, async () => {
      const call = as({ username, groups: [...groups, 'system:authenticated'] })
      for (const path of [
        ...['/api/v1/nodes', '/api/v1/nodes/a', '/api/v1/services', '/kedge/v1/cluster'],
        ...[
          '/apis/discovery.k8s.io/v1/endpointslices',
          '/api/v1/pods?fieldSelector=spec.nodeName=',
        ],
      ]) {
        expect([path, (await call('GET', path)).code]).toEqual([path, 403])
      }
    })
  }

  test('is who has the name and the group', async () => {
    for (const path of [
      ...['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/kedge/v1/cluster'],
    ]) {
      expect([path, (await node('GET', path)).code]).toEqual([path, 200])
    }
  })
})

describe('a token that a node asks for', () => {
  const ask = async (spec: object, user = NODE) => {
    const pod = await server.call('GET', '/api/v1/namespaces/default/pods/mine')
    const { uid } = pod.json.metadata
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid }
    const body = { spec: { boundObjectRef, ...spec } }
    const path = '/api/v1/namespaces/default/serviceaccounts/bot/token'
    return server.call('POST', path, { user, body })
  }

  test('is for an audience that the pod names', async () => {
    expect((await ask({ audiences: ['bank'] })).code).toBe(201)
    const vault = await ask({ audiences: ['vault'] })
    expect([vault.code, vault.json.message]).toEqual([
      403,
      'serviceaccounts "bot" is forbidden: audience "vault" not found in pod spec volume,' +
        ' system:node:a is not authorized to request tokens for this audience',
    ])
    expect((await ask({ audiences: ['bank', 'vault'] })).json.message).toEndWith(
      'node may only request 0 or 1 audiences',
    )
    expect((await ask({ audiences: [] })).code).toBe(201)
    expect((await ask({ audiences: ['vault'] }, ADMIN as typeof NODE)).code).toBe(201)
  })

  test('or for one that a role allows', async () => {
    const rule = { verbs: ['request-serviceaccounts-token-audience'], apiGroups: [''] }
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    await server.call('POST', `${rbac}/clusterroles`, {
      body: { metadata: { name: 'vault' }, rules: [{ ...rule, resources: ['vault'] }] },
    })
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'vault' }
    const subjects = [{ apiGroup: roleRef.apiGroup, kind: 'User', name: NODE.username }]
    await server.call('POST', `${rbac}/clusterrolebindings`, {
      body: { metadata: { name: 'vault' }, roleRef, subjects },
    })
    expect((await ask({ audiences: ['vault'] })).code).toBe(201)
  })
})

test('a node asks for certificates of its own name alone', async () => {
  const ask = async (name: string) => {
    const commonName = `system:node:${name}`
    const { csr } = await createCsr({ commonName, organizations: ['system:nodes'] })
    const signerName = 'kubernetes.io/kube-apiserver-client-kubelet'
    const usages = ['digital signature', 'client auth']
    const spec = { request: btoa(csr), signerName, usages }
    const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    return node('POST', path, { metadata: { generateName: 'x-' }, spec })
  }
  const refused = await ask('b')
  expect([refused.code, refused.json.message]).toEqual([
    403,
    'certificatesigningrequests.certificates.k8s.io "x-" is forbidden: ' +
      'can only create a node CSR with CN=system:node:a',
  ])
  expect((await ask('a')).code).toBe(201)
})
