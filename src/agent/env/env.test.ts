import { describe, expect, test } from 'bun:test'
import { aPod } from '../../../test/support/pod.ts'
import { expand } from '../../api/pod/expand.ts'
import { fieldValue, resourceValue } from '../../api/pod/field-ref.ts'
import type { Container, Service } from '../../api/schema/generated/types.ts'
import type { Contents } from '../../volumes/contract.ts'
import { type EnvView, environmentOf } from './env.ts'
import { serviceEnv } from './service-env.ts'

const signal = new AbortController().signal
const contents = (data: Record<string, string>): Contents =>
  new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]))

function viewOf(wish: Partial<EnvView> = {}): EnvView {
  return {
    pod: aPod({ name: 'p' }),
    podIps: ['10.42.0.2', 'fd00::2'],
    hostIps: ['192.0.2.10'],
    allocatable: { cpu: '2', memory: '4Gi' },
    services: [],
    objects: {
      configMap: async (_, name) => (name === 'cm' ? contents({ A: '1', B: '2' }) : undefined),
      secret: async (_, name) => (name === 's' ? contents({ A: 'hush' }) : undefined),
    },
    ...wish,
  }
}
const envOf = async (container: Partial<Container>, wish: Partial<EnvView> = {}) =>
  Object.fromEntries(await environmentOf(viewOf(wish), { name: 'web', ...container }, signal))

describe('expand', () => {
  const lookUp = (name: string) => ({ A: 'a', EMPTY: '' })[name]
  test.each([
    ['$(A)-$(A)', 'a-a'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$(MISSING)', '$(MISSING)'],
    ['$(EMPTY)|', '|'],
    ['$(A', '$(A'],
    ['$A $', '$A $'],
  ])('makes %s into %s', (input, output) => {
    expect(expand(input, lookUp)).toBe(output)
  })
})

describe('the environment of a container', () => {
  test('has envFrom first, in its order, and env over it', async () => {
    const envFrom = [
      { configMapRef: { name: 'cm' } },
      { prefix: 'S_', secretRef: { name: 's' } },
      { configMapRef: { name: 'none', optional: true } },
    ]
    const env = [{ name: 'B', value: '$(A)!' }]
    expect(await envOf({ envFrom, env })).toEqual({ A: '1', B: '1!', S_A: 'hush' })
  })

  test('takes values from keys, fields and resources', async () => {
    const env = [
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'A' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'NO', valueFrom: { configMapKeyRef: { name: 'cm', key: 'x', optional: true } } },
    ]
    expect(await envOf({ env })).toEqual({ KEY: 'hush', IP: '10.42.0.2', CPU: '2' })
  })

  test.each([
    ['configMapKeyRef', { name: 'none', key: 'x' }, 'configmap "none" not found'],
    ['secretKeyRef', { name: 'none', key: 'x' }, 'secret "none" not found'],
    ['configMapKeyRef', { name: 'cm', key: 'x' }, "couldn't find key x in ConfigMap default/cm"],
  ])('says what is missing: %s %j', async (kind, ref, message) => {
    const env = [{ name: 'A', valueFrom: { [kind]: ref } }]
    expect(envOf({ env })).rejects.toMatchObject({ message, reason: 'CreateContainerConfigError' })
  })

  test('tells of Services that the container does not speak of itself', async () => {
    const services = [aService('web', 'default', '10.43.0.5')]
    const env = [{ name: 'WEB_SERVICE_PORT', value: 'mine' }]
    const made = await envOf({ env }, { services })
    expect(made).toMatchObject({ WEB_SERVICE_HOST: '10.43.0.5', WEB_SERVICE_PORT: 'mine' })
  })
})

describe('serviceEnv', () => {
  const all = [
    aService('kubernetes', 'default', '10.43.0.1'),
    aService('my-db', 'shop', '10.43.0.9'),
    aService('other', 'else', '10.43.0.8'),
    aService('headless', 'shop', 'None'),
  ]

  test('writes the same variables as Docker links did', () => {
    expect(Object.fromEntries(serviceEnv([all[1]!], 'shop', true))).toEqual({
      MY_DB_SERVICE_HOST: '10.43.0.9',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_PORT: 'tcp://10.43.0.9:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.43.0.9:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.43.0.9',
    })
  })

  test('knows those of the namespace and the API, or the API alone', () => {
    const hosts = (links: boolean) =>
      [...serviceEnv(all, 'shop', links).keys()].filter((name) => name.endsWith('_HOST'))
    expect(hosts(true)).toEqual(['KUBERNETES_SERVICE_HOST', 'MY_DB_SERVICE_HOST'])
    expect(hosts(false)).toEqual(['KUBERNETES_SERVICE_HOST'])
  })
})

describe('fields of a pod', () => {
  const pod = aPod({ name: 'p' })
  pod.metadata.labels = { b: '2', a: 'say "hi"' }
  const view = viewOf({ pod })

  test.each([
    ['metadata.name', 'p'],
    ['metadata.uid', 'u'],
    ['metadata.labels', 'a="say \\"hi\\""\nb="2"'],
    ["metadata.labels['b']", '2'],
    ["metadata.annotations['none']", ''],
    ['status.podIPs', '10.42.0.2,fd00::2'],
    ['status.hostIP', '192.0.2.10'],
  ])('%s reads as %s', (path, text) => {
    expect(fieldValue(view, path)).toBe(text)
  })

  test.each([
    [{ resource: 'limits.memory' }, '4294967296'],
    [{ resource: 'limits.memory', divisor: '1Mi' }, '4096'],
    [{ resource: 'requests.cpu', divisor: '1m' }, '250'],
    [{ resource: 'requests.cpu' }, '1'],
    [{ resource: 'requests.memory' }, '0'],
  ])('the resource %j reads as %s', (selector, text) => {
    const container = { name: 'web', resources: { requests: { cpu: '250m' } } }
    expect(resourceValue(view, selector, container)).toBe(text)
  })
})

function aService(name: string, namespace: string, clusterIP: string): Service {
  return {
    metadata: { name, namespace },
    spec: { clusterIP, ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] },
  }
}
