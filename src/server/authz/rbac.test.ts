import { describe, expect, test } from 'bun:test'
import type { KubeObject } from '../../api/object.ts'
import type { PolicyRule } from '../../api/schema/generated/types.ts'
import type { Entry } from '../../store/store.ts'
import type { Access } from './authorizer.ts'
import { NodeAuthorizer, PodGraph } from './node.ts'
import { Rbac } from './rbac.ts'
import { uncovered } from './rules.ts'
import { VolumeGraph } from './volume-graph.ts'

const entry = (key: string, object: object): Entry => {
  return { key, value: JSON.stringify(object), created: 1, revision: 1 }
}

function anRbac(objects: Record<string, KubeObject & object>): Rbac {
  const rbac = new Rbac()
  for (const index of rbac.indexes) {
    for (const [key, object] of Object.entries(objects)) {
      if (key.startsWith(`${index.storagePrefix}/`)) index.put(entry(key, object))
    }
  }
  return rbac
}

const roleRef = (kind: string, name: string) => ({
  apiGroup: 'rbac.authorization.k8s.io',
  kind,
  name,
})
const reader = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] }

function access(more: object = {}, username = 'jane', groups: string[] = ['devs']): Access {
  return {
    user: { username, groups },
    verb: 'get',
    isResource: true,
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: '',
    namespace: 'shop',
    name: 'web',
    ...more,
  } as Access
}

const objects = {
  'clusterroles/reader': { metadata: { name: 'reader' }, rules: [reader] },
  'rolebindings/shop/devs': {
    metadata: { name: 'devs', namespace: 'shop' },
    roleRef: roleRef('ClusterRole', 'reader'),
    subjects: [
      { kind: 'Group', name: 'devs' },
      { kind: 'ServiceAccount', name: 'bot' },
    ],
  },
  'clusterrolebindings/lost': {
    metadata: { name: 'lost' },
    roleRef: roleRef('ClusterRole', 'gone'),
    subjects: [{ kind: 'User', name: 'jane' }],
  },
}

describe('Rbac', () => {
  test('allows what a role in the namespace allows, and says by what', () => {
    expect(anRbac(objects).decide(access())).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "devs/shop" of ClusterRole "reader" to Group "devs"',
    })
  })

  test('takes a service account of the namespace of the binding', () => {
    const bot = access({}, 'system:serviceaccount:shop:bot', [])
    expect(anRbac(objects).decide(bot).allowed).toBe(true)
  })

  test('refuses other namespaces, verbs and sub-resources, and names missing roles', () => {
    const rbac = anRbac(objects)
    const reason = 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    expect(rbac.decide(access({ namespace: 'other' }))).toEqual({ allowed: false, reason })
    expect(rbac.decide(access({ verb: 'delete' })).allowed).toBe(false)
    expect(rbac.decide(access({ subresource: 'exec' })).allowed).toBe(false)
    expect(rbac.decide(access({ subresource: 'log' })).allowed).toBe(true)
  })

  test('follows changes', () => {
    const rbac = anRbac(objects)
    const bindings = rbac.indexes.find(({ storagePrefix }) => storagePrefix === 'rolebindings')!
    const key = 'rolebindings/shop/devs'
    bindings.put(entry(key, { ...objects[key], subjects: [{ kind: 'User', name: 'joe' }] }))
    expect(rbac.decide(access()).allowed).toBe(false)
    expect(rbac.decide(access({}, 'joe', [])).allowed).toBe(true)
    bindings.remove(entry(key, {}))
    expect(rbac.decide(access({}, 'joe', [])).allowed).toBe(false)
  })
})

describe('uncovered', () => {
  const all: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }

  test('finds each right that would be handed on without being owned', () => {
    const wanted = [{ verbs: ['get', 'delete'], apiGroups: [''], resources: ['pods'] }]
    expect(uncovered([reader], wanted)).toEqual([
      { verbs: ['delete'], apiGroups: [''], resources: ['pods'] },
    ])
    expect(uncovered([all], wanted)).toEqual([])
  })

  test('does not take a right on one name for a right on all', () => {
    const named = { ...reader, resourceNames: ['web'] }
    expect(uncovered([named], [reader])).toHaveLength(4)
    expect(uncovered([reader], [named])).toEqual([])
  })

  test('compares paths by prefix', () => {
    const own = { verbs: ['get'], nonResourceURLs: ['/healthz*'] }
    expect(uncovered([own], [{ verbs: ['get'], nonResourceURLs: ['/healthz/ping'] }])).toEqual([])
    expect(uncovered([own], [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }])).toHaveLength(1)
  })
})

describe('NodeAuthorizer', () => {
  const graph = new PodGraph()
  const pod = {
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      nodeName: 'a',
      serviceAccountName: 'bot',
      containers: [{ name: 'c', envFrom: [{ secretRef: { name: 'env' } }] }],
      volumes: [
        { name: 'v', projected: { sources: [{ configMap: { name: 'files' } }] } },
        { name: 'data', persistentVolumeClaim: { claimName: 'kept' } },
        { name: 'own', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      ],
    },
  }
  graph.put(entry('pods/shop/web', pod))
  const volumes = new VolumeGraph()
  const aVolume = (name: string) => ({ spec: { claimRef: { namespace: 'shop', name } } })
  volumes.put(entry('persistentvolumes/pv1', aVolume('kept')))
  volumes.put(entry('persistentvolumes/pv2', aVolume('other')))
  volumes.put(entry('persistentvolumes/pv3', { spec: {} }))
  const nodes = new NodeAuthorizer(graph, volumes, () => [
    { verbs: ['create', 'patch'], apiGroups: [''], resources: ['events'] },
  ])
  const by = (node: string, more: object) =>
    nodes.decide(access(more, `system:node:${node}`, ['system:nodes'])).allowed

  test('lets a node read what its pods read, and no more', () => {
    expect(by('a', { resource: 'secrets', name: 'env' })).toBe(true)
    expect(by('a', { resource: 'configmaps', name: 'files' })).toBe(true)
    expect(by('a', { resource: 'secrets', name: 'other' })).toBe(false)
    expect(by('b', { resource: 'secrets', name: 'env' })).toBe(false)
    expect(by('a', { resource: 'secrets', name: '', verb: 'list' })).toBe(false)
    expect(by('a', { resource: 'secrets', name: 'env', verb: 'update' })).toBe(false)
  })

  test('lets it read the claims of its pods, and the volumes that are bound to those', () => {
    const claim = { resource: 'persistentvolumeclaims', verb: 'get' }
    expect(by('a', { ...claim, name: 'kept' })).toBe(true)
    expect(by('a', { ...claim, name: 'web-own' })).toBe(true)
    expect(by('a', { ...claim, name: 'other' })).toBe(false)
    expect(by('b', { ...claim, name: 'kept' })).toBe(false)
    expect(by('a', { ...claim, name: 'kept', verb: 'list' })).toBe(false)
    const volume = { resource: 'persistentvolumes', verb: 'get', namespace: '' }
    expect(by('a', { ...volume, name: 'pv1' })).toBe(true)
    expect(by('b', { ...volume, name: 'pv1' })).toBe(false)
    for (const name of ['pv2', 'pv3', 'pv4']) expect(by('a', { ...volume, name })).toBe(false)
    expect(by('a', { ...volume, name: 'pv1', verb: 'update' })).toBe(false)
  })

  test('gives tokens only for accounts of its pods', () => {
    const token = { resource: 'serviceaccounts', subresource: 'token', verb: 'create' }
    expect(by('a', { ...token, name: 'bot' })).toBe(true)
    expect(by('b', { ...token, name: 'bot' })).toBe(false)
  })

  test('shows a node its own pods, its own Node and its own Lease', () => {
    expect(by('a', { verb: 'list', name: '', fieldSelector: 'spec.nodeName=a' })).toBe(true)
    expect(by('a', { verb: 'list', name: '' })).toBe(false)
    expect(by('a', { verb: 'get', name: 'web' })).toBe(true)
    expect(by('b', { verb: 'get', name: 'web' })).toBe(false)
    expect(by('a', { resource: 'nodes', name: 'a' })).toBe(true)
    expect(by('a', { resource: 'nodes', name: 'b' })).toBe(false)
    const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' }
    expect(by('a', { ...lease, name: 'a', verb: 'update' })).toBe(true)
    expect(by('a', { ...lease, name: 'b', verb: 'update' })).toBe(false)
  })

  test('leaves the rest to the role of nodes, and others alone', () => {
    expect(by('a', { resource: 'events', verb: 'create' })).toBe(true)
    expect(by('a', { resource: 'deployments', group: 'apps' })).toBe(false)
    expect(nodes.decide(access({ resource: 'events', verb: 'create' })).allowed).toBe(false)
  })

  test('forgets a pod that is gone', () => {
    graph.remove(entry('pods/shop/web', pod))
    expect(by('a', { resource: 'secrets', name: 'env' })).toBe(false)
  })
})
