import { describe, expect, test } from 'bun:test'
import { Duplex } from 'node:stream'
import { ADMIN, type TestServer, testServer } from '../../../test/support/server.ts'
import type { AnyObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf, pathOf, qualifiedResource } from '../../api/resource.ts'
import { createCsr } from '../../pki/csr.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../admission/chain.ts'
import { encodeStored, storeKey } from '../storage/stored.ts'
import { callOf } from '../transport/fetch-call.ts'

type Stage = 'admit' | 'validate'

/** Sees every write at both stages, and refuses at one of them when told to. */
class Witness implements AdmissionPlugin {
  readonly name = 'Witness'
  readonly handles = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const
  readonly seen: string[] = []
  refuses: Stage | undefined
  change: ((object: AnyObject) => void) | undefined

  admit(attributes: Attributes): void {
    this.#note('admit', attributes)
    if (attributes.object !== undefined) this.change?.(attributes.object)
  }

  validate(attributes: Attributes): void {
    this.#note('validate', attributes)
  }

  #note(stage: Stage, attributes: Attributes): void {
    const { request, operation, subresource, kind } = attributes
    const resource = qualifiedResource(request.row)
    const path = subresource === '' ? resource : `${resource}/${subresource}`
    this.seen.push(`${stage} ${operation} ${path} ${kind.kind}`)
    if (this.refuses === stage) throw refused(attributes, `no, says ${stage}`)
  }
}

const MERGE = { 'content-type': 'application/merge-patch+json' }
const JSON_PATCH = { 'content-type': 'application/json-patch+json' }
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' }
const APPLY = { 'content-type': 'application/apply-patch+yaml' }

describe('every route that writes', () => {
  type Route = { method: string; path: string; body?: object; headers?: Record<string, string> }

  const meta = (row: AnyRow) => ({
    name: 'x',
    ...(row.scope === 'Namespaced' ? { namespace: 'default' } : {}),
  })
  const whole = (row: AnyRow) => ({
    apiVersion: groupVersionOf(row),
    kind: row.kind,
    metadata: meta(row),
  })

  function routesOf(row: AnyRow): Route[] {
    const namespace = row.scope === 'Namespaced' ? 'default' : undefined
    const all = pathOf(row, { namespace })
    const routes: Route[] = []
    const changes = (path: string, verbs: readonly string[], body: object) => {
      if (verbs.includes('update')) routes.push({ method: 'PUT', path, body })
      if (!verbs.includes('patch')) return
      const labels = { metadata: { labels: { a: 'b' } } }
      routes.push({ method: 'PATCH', path, body: labels, headers: MERGE })
      if (!path.endsWith('/scale')) {
        const applied = `${path}?fieldManager=m&force=true`
        routes.push({ method: 'PATCH', path: applied, body, headers: APPLY })
      }
    }
    if (row.verbs.includes('create')) routes.push({ method: 'POST', path: all, body: whole(row) })
    const one = pathOf(row, { namespace, name: 'x' })
    changes(one, row.verbs, whole(row))
    const parts = { ...row.parts, ...(row.status ? { status: row.status } : {}) }
    for (const [name, { verbs }] of Object.entries(parts)) {
      changes(`${one}/${name}`, verbs, whole(row))
    }
    if (row.scale) {
      const scale = { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: meta(row) }
      changes(`${one}/scale`, ['update', 'patch'], scale)
    }
    for (const { name, kind, group, version } of row.actions) {
      if (name === 'log') continue
      const apiVersion = groupVersionOf({ group: group ?? row.group, version: version ?? 'v1' })
      const body = kind.endsWith('Options') ? {} : { kind, metadata: meta(row), apiVersion }
      if (name === 'token') Object.assign(body, { apiVersion: 'authentication.k8s.io/v1' })
      routes.push({ method: 'POST', path: `${one}/${name}`, body })
    }
    if (row.verbs.includes('delete')) routes.push({ method: 'DELETE', path: one })
    if (row.verbs.includes('deletecollection')) routes.push({ method: 'DELETE', path: all })
    return routes
  }

  test('is admitted first, and writes nothing when admission refuses', async () => {
    const witness = new Witness()
    await using server = await testServer({ admissionPlugins: [witness] })
    const { registry, store } = server
    // Pods want their account before anybody else is asked.
    const account = { body: { metadata: { name: 'default' } } }
    await server.call('POST', `${HERE}/serviceaccounts`, account)
    const unasked: string[] = []
    for (const row of registry.rows) {
      const seed = { ...whole(row), spec: {} } as unknown as AnyObject
      const namespace = row.scope === 'Namespaced' ? 'default' : ''
      const isStored = row.verbs.includes('get')
      if (isStored) await store.create(storeKey(row, namespace, 'x'), encodeStored(row, seed))
      for (const { method, path, body, headers } of routesOf(row)) {
        witness.refuses = 'admit'
        witness.seen.length = 0
        const before = store.revision
        const { code, text } = await server.call(method, path, { body, headers: headers ?? {} })
        const isRefused = code === 403 && text.includes('no, says admit')
        if (isRefused && store.revision === before && witness.seen.length === 1) continue
        unasked.push(`${method} ${path}: ${code} ${text} ${witness.seen}`)
      }
    }
    expect(unasked).toEqual([])
  })
})

type Write = {
  is: string
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
  code?: number
}

const HERE = '/api/v1/namespaces/default'
const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const SETS = '/apis/apps/v1/namespaces/default/replicasets'
const RIGHTS = '/apis/authorization.k8s.io/v1'
const containers = [{ name: 'c', image: 'i' }]
const scaled = (replicas: number) => ({ metadata: { name: 'r' }, spec: { replicas } })

/** Each as it stands after the ones before it. */
async function writes(): Promise<Write[]> {
  const labels = { app: 'a' }
  const set = {
    metadata: { name: 'r' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    },
  }
  const request = btoa((await createCsr({ commonName: 'ann', organizations: ['dev'] })).csr)
  const signerName = 'kubernetes.io/kube-apiserver-client'
  const csr = { metadata: { name: 'ann' }, spec: { request, signerName, usages: ['client auth'] } }
  const approval = [{ type: 'Approved', status: 'True', reason: 'Known', message: 'by sight' }]
  const ephemeralContainers = [{ name: 'e', image: 'i' }]
  const binding = (name: string) => ({ metadata: { name }, target: { kind: 'Node', name: 'n' } })
  const pod = (name: string) => ({ metadata: { name }, spec: { containers } })
  const resourceAttributes = { verb: 'get', resource: 'pods', namespace: 'default' }
  const applied = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
  const lease = { metadata: { name: 'l' } }
  return [
    {
      is: 'CREATE serviceaccounts ServiceAccount',
      method: 'POST',
      path: `${HERE}/serviceaccounts`,
      body: { metadata: { name: 'default' } },
    },
    {
      is: 'CREATE serviceaccounts/token TokenRequest',
      method: 'POST',
      path: `${HERE}/serviceaccounts/default/token`,
      body: { spec: {} },
    },
    {
      is: 'CREATE configmaps ConfigMap',
      method: 'POST',
      path: `${HERE}/configmaps`,
      body: { metadata: { name: 'm' } },
    },
    {
      is: 'CREATE configmaps ConfigMap',
      method: 'POST',
      path: `${HERE}/configmaps`,
      body: { metadata: { generateName: 'm-' } },
    },
    {
      is: 'CREATE configmaps ConfigMap',
      method: 'PATCH',
      path: `${HERE}/configmaps/n?fieldManager=m`,
      body: applied('n'),
      headers: APPLY,
    },
    {
      is: 'CREATE leases.coordination.k8s.io Lease',
      method: 'PUT',
      path: '/apis/coordination.k8s.io/v1/namespaces/default/leases/l',
      body: lease,
    },
    {
      is: 'UPDATE configmaps ConfigMap',
      method: 'PUT',
      path: `${HERE}/configmaps/m`,
      body: { metadata: { name: 'm' }, data: { a: '1' } },
    },
    {
      is: 'UPDATE configmaps ConfigMap',
      method: 'PATCH',
      path: `${HERE}/configmaps/m`,
      body: { data: { a: '2' } },
      headers: MERGE,
    },
    {
      is: 'UPDATE configmaps ConfigMap',
      method: 'PATCH',
      path: `${HERE}/configmaps/m`,
      body: { data: { a: '3' } },
      headers: STRATEGIC,
    },
    {
      is: 'UPDATE configmaps ConfigMap',
      method: 'PATCH',
      path: `${HERE}/configmaps/m`,
      body: [{ op: 'add', path: '/data/b', value: '1' }],
      headers: JSON_PATCH,
    },
    {
      is: 'UPDATE configmaps ConfigMap',
      method: 'PATCH',
      path: `${HERE}/configmaps/n?fieldManager=m`,
      body: { ...applied('n'), data: { c: '1' } },
      headers: APPLY,
    },
    { is: 'DELETE configmaps ConfigMap', method: 'DELETE', path: `${HERE}/configmaps/n` },
    {
      is: 'DELETE configmaps ConfigMap',
      method: 'DELETE',
      path: `${HERE}/configmaps?fieldSelector=metadata.name=m`,
    },
    { is: 'CREATE pods Pod', method: 'POST', path: `${HERE}/pods`, body: pod('p') },
    {
      is: 'CREATE pods/binding Binding',
      method: 'POST',
      path: `${HERE}/pods/p/binding`,
      body: binding('p'),
    },
    {
      is: 'UPDATE pods/status Pod',
      method: 'PATCH',
      path: `${HERE}/pods/p/status`,
      body: { status: { phase: 'Running' } },
      headers: MERGE,
    },
    {
      is: 'UPDATE pods/ephemeralcontainers Pod',
      method: 'PATCH',
      path: `${HERE}/pods/p/ephemeralcontainers`,
      body: { spec: { ephemeralContainers } },
      headers: STRATEGIC,
    },
    {
      is: 'CONNECT pods/exec PodExecOptions',
      method: 'POST',
      path: `${HERE}/pods/p/exec?command=ls&stdout=1`,
      code: 400,
    },
    {
      is: 'CONNECT pods/attach PodAttachOptions',
      method: 'POST',
      path: `${HERE}/pods/p/attach?stdout=1`,
      code: 400,
    },
    {
      is: 'CONNECT pods/portforward PodPortForwardOptions',
      method: 'POST',
      path: `${HERE}/pods/p/portforward?ports=80`,
      code: 400,
    },
    {
      is: 'CONNECT pods/proxy PodProxyOptions',
      method: 'GET',
      path: `${HERE}/pods/p/proxy/x`,
      code: 400,
    },
    {
      is: 'CONNECT services/proxy ServiceProxyOptions',
      method: 'GET',
      path: `${HERE}/services/kubernetes/proxy/x`,
      code: 503,
    },
    {
      is: 'CONNECT nodes/proxy NodeProxyOptions',
      method: 'GET',
      path: '/api/v1/nodes/n/proxy/x',
      code: 404,
    },
    {
      is: 'CREATE pods/eviction Eviction',
      method: 'POST',
      path: `${HERE}/pods/p/eviction`,
      body: { metadata: { name: 'p' } },
    },
    { is: 'CREATE pods Pod', method: 'POST', path: `${HERE}/pods`, body: pod('q') },
    { is: 'CREATE bindings Binding', method: 'POST', path: `${HERE}/bindings`, body: binding('q') },
    { is: 'CREATE replicasets.apps ReplicaSet', method: 'POST', path: SETS, body: set },
    {
      is: 'UPDATE replicasets.apps/scale Scale',
      method: 'PUT',
      path: `${SETS}/r/scale`,
      body: scaled(2),
    },
    {
      is: 'UPDATE replicasets.apps/scale Scale',
      method: 'PATCH',
      path: `${SETS}/r/scale`,
      body: { spec: { replicas: 3 } },
      headers: MERGE,
    },
    {
      is: 'UPDATE replicasets.apps/scale Scale',
      method: 'PATCH',
      path: `${SETS}/r/scale?fieldManager=s&force=true`,
      body: { kind: 'Scale', apiVersion: 'autoscaling/v1', ...scaled(4) },
      headers: APPLY,
    },
    {
      is: 'CREATE certificatesigningrequests.certificates.k8s.io CertificateSigningRequest',
      method: 'POST',
      path: CSRS,
      body: csr,
    },
    {
      is: 'UPDATE certificatesigningrequests.certificates.k8s.io/approval CertificateSigningRequest',
      method: 'PATCH',
      path: `${CSRS}/ann/approval`,
      body: { status: { conditions: approval } },
      headers: MERGE,
    },
    {
      is: 'CREATE subjectaccessreviews.authorization.k8s.io SubjectAccessReview',
      method: 'POST',
      path: `${RIGHTS}/subjectaccessreviews`,
      body: { spec: { user: 'x', resourceAttributes } },
    },
    {
      is: 'CREATE localsubjectaccessreviews.authorization.k8s.io LocalSubjectAccessReview',
      method: 'POST',
      path: `${RIGHTS}/namespaces/default/localsubjectaccessreviews`,
      body: { metadata: { namespace: 'default' }, spec: { user: 'x', resourceAttributes } },
    },
    {
      is: 'CREATE selfsubjectaccessreviews.authorization.k8s.io SelfSubjectAccessReview',
      method: 'POST',
      path: `${RIGHTS}/selfsubjectaccessreviews`,
      body: { spec: { resourceAttributes } },
    },
    {
      is: 'CREATE selfsubjectrulesreviews.authorization.k8s.io SelfSubjectRulesReview',
      method: 'POST',
      path: `${RIGHTS}/selfsubjectrulesreviews`,
      body: { spec: { namespace: 'default' } },
    },
    {
      is: 'CREATE tokenreviews.authentication.k8s.io TokenReview',
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: { spec: { token: 't' } },
    },
    {
      is: 'CREATE selfsubjectreviews.authentication.k8s.io SelfSubjectReview',
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      body: {},
    },
  ]
}

test('a write refused at either stage has written nothing, and is what admission was told', async () => {
  const witness = new Witness()
  await using server = await testServer({ admissionPlugins: [witness] })
  for (const write of await writes()) {
    const shown = `${write.method} ${write.path}`
    for (const stage of ['admit', 'validate'] as const) {
      witness.refuses = stage
      const before = server.store.revision
      const { code, text } = await send(server, write)
      expect([shown, stage, code, text]).toEqual([
        shown,
        stage,
        403,
        expect.stringContaining(`no, says ${stage}`),
      ])
      expect([shown, stage, server.store.revision]).toEqual([shown, stage, before])
    }
    witness.refuses = undefined
    witness.seen.length = 0
    const { code, text } = await send(server, write)
    const fine = write.code === undefined ? code < 300 : code === write.code
    expect([shown, fine, text]).toEqual([shown, true, text])
    expect([shown, witness.seen]).toEqual([shown, [`admit ${write.is}`, `validate ${write.is}`]])
  }
})

function send(server: TestServer, { method, path, body, headers = {} }: Write) {
  return server.call(method, path, { ...(body === undefined ? {} : { body }), headers })
}

test('what mutating admission changes is what is stored, for scales too', async () => {
  const witness = new Witness()
  await using server = await testServer({ admissionPlugins: [witness] })
  const all = await writes()
  await send(server, all.find(({ is }) => is.startsWith('CREATE replicasets'))!)
  witness.change = (scale) => {
    scale.spec = { replicas: 7 }
  }
  const put = await server.call('PUT', `${SETS}/r/scale`, { body: scaled(2) })
  expect(put.json.spec.replicas).toBe(7)
  witness.change = (object) => {
    object.metadata.annotations = { seen: 'yes' }
  }
  const body = { metadata: { name: 'm' } }
  const made = await server.call('POST', `${HERE}/configmaps`, { body })
  expect(made.json.metadata.annotations).toEqual({ seen: 'yes' })
})

test('an upgraded connection is admitted before it goes anywhere', async () => {
  const witness = new Witness()
  await using server = await testServer({ admissionPlugins: [witness] })
  witness.refuses = 'validate'
  witness.seen.length = 0
  const request = new Request(`http://test${HERE}/pods/p/exec?command=ls`)
  const socket = new Recorded()
  await server.app.upgrade(callOf(request, { user: ADMIN }), socket, new Uint8Array())
  expect(socket.text).toContain('403')
  expect(socket.text).toContain('no, says validate')
  expect(witness.seen).toEqual([
    'admit CONNECT pods/exec PodExecOptions',
    'validate CONNECT pods/exec PodExecOptions',
  ])
})

class Recorded extends Duplex {
  text = ''
  override _read(): void {}
  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    this.text += Buffer.from(bytes).toString()
    done()
  }
}

test('who may patch and not create does not create by patching or putting', async () => {
  await using server = await testServer()
  const rules = [
    {
      apiGroups: ['', 'coordination.k8s.io'],
      resources: ['configmaps', 'leases'],
      verbs: ['patch', 'update', 'get'],
    },
  ]
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
  await server.call('POST', `${roles}/roles`, { body: { metadata: { name: 'r' }, rules } })
  const binding = {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' }],
  }
  await server.call('POST', `${roles}/rolebindings`, { body: binding })
  const user = { username: 'eve', groups: ['system:authenticated'] }
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } }
  const path = `${HERE}/configmaps/m?fieldManager=m`
  const applied = await server.call('PATCH', path, { body: map, headers: APPLY, user })
  expect([applied.code, applied.json.message]).toEqual([
    403,
    'configmaps "m" is forbidden: User "eve" cannot create resource "configmaps" in API group "" in the namespace "default"',
  ])
  const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l'
  const put = await server.call('PUT', lease, { body: { metadata: { name: 'l' } }, user })
  expect(put.code).toBe(403)
  await server.call('POST', `${HERE}/configmaps`, { body: map })
  expect((await server.call('PATCH', path, { body: map, headers: APPLY, user })).code).toBe(200)
})

test('only what is being deleted is said to be, whatever stands in its data', async () => {
  await using server = await testServer()
  const words = { deletionTimestamp: '', metadata: '{"deletionTimestamp":"x"}' }
  const message = async (metadata: object, data: object) => {
    const body = { metadata, data }
    await server.call('POST', `${HERE}/configmaps`, { body })
    return (await server.call('POST', `${HERE}/configmaps`, { body })).json.message
  }
  const exists = (name: string) => `configmaps "${name}" already exists`
  expect(await message({ name: 'a' }, words)).toBe(exists('a'))
  expect(
    await message({ name: 'b', annotations: words, labels: { deletionTimestamp: '' } }, {}),
  ).toBe(exists('b'))
  const finalizers = ['x.io/f']
  const body = { metadata: { name: 'c', finalizers } }
  await server.call('POST', `${HERE}/configmaps`, { body })
  await server.call('DELETE', `${HERE}/configmaps/c`)
  const again = await server.call('POST', `${HERE}/configmaps`, { body })
  expect(again.json.message).toBe(`object is being deleted: ${exists('c')}`)
})
