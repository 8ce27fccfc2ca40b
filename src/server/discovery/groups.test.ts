// Expectations were read from Kubernetes 1.36.3.

import { expect, test } from 'bun:test'
import { createRegistry } from '../../api/registry.ts'
import { defineResource } from '../../api/resource.ts'
import { apiGroupList, apiResourceList, apiVersions, groupDiscoveryList } from './groups.ts'

const ALL = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const PART = ['get', 'patch', 'update']

const deployments = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  type: 'io.k8s.api.apps.v1.Deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  status: true,
  scale: {
    specReplicas: 'spec.replicas',
    statusReplicas: 'status.replicas',
    selector: 'spec.selector',
  },
})
const bindings = defineResource({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  verbs: ['create'],
  type: 'io.k8s.api.core.v1.Binding',
})
const registry = createRegistry([deployments, bindings])

test('a list of resources names every resource and its sub-resources', () => {
  const apps = registry.groups().find(({ name }) => name === 'apps')!
  expect<unknown>(apiResourceList(registry, 'apps', apps.versions[0]!)).toEqual({
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'apps/v1',
    resources: [
      {
        name: 'deployments',
        singularName: 'deployment',
        namespaced: true,
        kind: 'Deployment',
        verbs: ALL,
        shortNames: ['deploy'],
        categories: ['all'],
        storageVersionHash: '8aSe+NMegvE=',
      },
      {
        name: 'deployments/scale',
        singularName: '',
        namespaced: true,
        verbs: PART,
        group: 'autoscaling',
        version: 'v1',
        kind: 'Scale',
      },
      {
        name: 'deployments/status',
        singularName: '',
        namespaced: true,
        verbs: PART,
        kind: 'Deployment',
      },
    ],
  })
})

test('the core group lists no version of its own, and unstored kinds no hash', () => {
  const core = registry.groups()[0]!
  expect(apiResourceList(registry, '', core.versions[0]!)).toEqual({
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      {
        name: 'bindings',
        singularName: 'binding',
        namespaced: true,
        kind: 'Binding',
        verbs: ['create'],
      },
    ],
  })
})

test('groups are listed with the version they prefer', () => {
  const version = { groupVersion: 'apps/v1', version: 'v1' }
  expect(apiGroupList(registry).groups).toEqual([
    { name: 'apps', versions: [version], preferredVersion: version },
  ])
  expect(apiVersions(registry, '10.0.0.1:6443').versions).toEqual(['v1'])
})

test('aggregated discovery has everything in two documents', () => {
  const [core] = groupDiscoveryList(registry, 'core').items
  expect(core!.metadata).toEqual({})
  const [apps] = groupDiscoveryList(registry, 'named').items
  expect(apps as unknown).toEqual({
    metadata: { name: 'apps' },
    versions: [
      {
        version: 'v1',
        freshness: 'Current',
        resources: [
          {
            resource: 'deployments',
            singularResource: 'deployment',
            scope: 'Namespaced',
            responseKind: { group: '', version: '', kind: 'Deployment' },
            verbs: ALL,
            shortNames: ['deploy'],
            categories: ['all'],
            subresources: [
              {
                subresource: 'scale',
                verbs: PART,
                responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
              },
              {
                subresource: 'status',
                verbs: PART,
                responseKind: { group: '', version: '', kind: 'Deployment' },
              },
            ],
          },
        ],
      },
    ],
  })
})
