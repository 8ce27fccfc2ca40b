import { expect, test } from 'bun:test'
import { compareVersions, createRegistry } from './registry.ts'
import { defineResource } from './resource.ts'

const row = (group: string, version: string, plural: string) =>
  defineResource({
    group,
    version,
    plural,
    kind: plural.slice(0, -1),
    type: 'io.k8s.api.core.v1.ConfigMap',
    storagePrefix: `${group}.${version}/${plural}`,
  })

test('rows are found by path and by kind', () => {
  const pods = row('', 'v1', 'pods')
  const registry = createRegistry([pods, row('apps', 'v1', 'deployments')])
  expect(registry.find('', 'v1', 'pods')).toBe(pods)
  expect(registry.findKind('', 'v1', 'pod')).toBe(pods)
  expect(registry.find('apps', 'v1', 'pods')).toBeUndefined()
})

test('groups come in the order of upstream, others after them by name', () => {
  const names = ['zoo.example.com', 'batch', 'apps', '', 'bar.example.com', 'policy']
  const registry = createRegistry(names.map((name) => row(name, 'v1', 'things')))
  const order = ['', 'apps', 'batch', 'policy', 'bar.example.com', 'zoo.example.com']
  expect(registry.groups().map(({ name }) => name)).toEqual(order)
})

test('the most preferred version of a group comes first', () => {
  const versions = ['v1beta1', 'foo', 'v1', 'v10', 'v2', 'v1alpha1', 'v1beta2', 'v3alpha1', 'bar']
  expect(versions.toSorted(compareVersions)).toEqual([
    'v10',
    'v2',
    'v1',
    'v1beta2',
    'v1beta1',
    'v3alpha1',
    'v1alpha1',
    'bar',
    'foo',
  ])
  const [one, two] = [row('autoscaling', 'v1', 'things'), row('autoscaling', 'v2', 'things')]
  const registry = createRegistry([one, two])
  expect(registry.findPreferred('autoscaling', 'things')).toBe(two)
  expect(registry.groups()[0]!.versions.map(({ version }) => version)).toEqual(['v2', 'v1'])
})

test('rows come and go, and the generation tells', () => {
  const registry = createRegistry([])
  const before = registry.generation
  registry.add(row('a.example.com', 'v1', 'things'))
  expect(registry.groups().map(({ name }) => name)).toEqual(['a.example.com'])
  const between = registry.generation
  expect(between).toBeGreaterThan(before)
  registry.remove({ group: 'a.example.com', version: 'v1', plural: 'things' })
  expect(registry.groups()).toEqual([])
  expect(registry.rows).toEqual([])
  expect(registry.generation).toBeGreaterThan(between)
})

test('no kind is stored among the objects of another', () => {
  const stored = (group: string, storagePrefix: string, more = {}) =>
    defineResource({ ...row(group, 'v1', 'things'), storagePrefix, ...more } as never)
  const registry = createRegistry([stored('a.io', 'a.io/things')])
  expect(() => registry.add(stored('b.io', 'a.io/things'))).toThrow('would be stored among')
  expect(() => registry.add(stored('b.io', 'a.io'))).toThrow('would be stored among')
  expect(() => registry.add(stored('b.io', 'a.io/things/of'))).toThrow('would be stored among')
  registry.add(stored('b.io', 'a.io/things', { toStored: (object: never) => object }))
  registry.add(stored('c.io', 'a.io/thingsofc'))
})
