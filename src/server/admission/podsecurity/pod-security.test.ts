import { describe, expect, test } from 'bun:test'
import { type TestServer, testServer } from '../../../../test/support/server.ts'
import type { AdmissionPlugin, Attributes } from '../chain.ts'
import { parseConfiguration } from './configuration.ts'
import { plan } from './existing-pods.ts'
import { formatLevelVersion, MODES, PREFIX, PRIVILEGED_POLICY, policyOf } from './policy.ts'

const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`
const bare = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...more },
})
const hostile = (name: string) => bare(name, { hostPID: true })
const labelled = (labels: Record<string, string>) =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [PREFIX + key, value]))

async function makeNamespace(
  server: TestServer,
  name: string,
  labels: Record<string, string> = {},
) {
  const body = { metadata: { name, labels: labelled(labels) } }
  const made = await server.call('POST', '/api/v1/namespaces', { body })
  const account = { metadata: { name: 'default' } }
  await server.call('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { body: account })
  return made
}

const warningsOf = ({ headers }: { headers: Headers }) =>
  (headers.get('warning') ?? '').split(/, (?=299 )/).flatMap((text) => {
    const quoted = /^299 - ("(?:[^"\\]|\\.)*")$/.exec(text)?.[1]
    return quoted === undefined ? [] : [JSON.parse(quoted) as string]
  })

/** Keeps the audit annotations of the last request. */
class Auditor implements AdmissionPlugin {
  readonly name = 'Auditor'
  #last: ReadonlyMap<string, string> = new Map()
  admit({ request }: Attributes) {
    this.#last = request.auditAnnotations
  }
  take(): Record<string, string> {
    return Object.fromEntries(
      [...this.#last].map(([key, value]) => [key.replace(PREFIX, ''), value]),
    )
  }
}

describe('labels', () => {
  const read = (labels: Record<string, string>) => {
    const { policy, errors } = policyOf(labelled(labels), PRIVILEGED_POLICY)
    const text = MODES.map((mode) => formatLevelVersion(policy[mode])).join(' ')
    return [text, ...errors.map(({ field, message }) => `${field}: ${message}`)]
  }

  test('say level and version of each mode; warnings follow what is enforced', () => {
    expect(read({})).toEqual(['privileged:latest privileged:latest privileged:latest'])
    expect(read({ enforce: 'baseline', 'enforce-version': 'v1.24' })).toEqual([
      'baseline:v1.24 privileged:latest baseline:v1.24',
    ])
    expect(read({ enforce: 'baseline', 'warn-version': 'v1.3' })).toEqual([
      'baseline:latest privileged:latest baseline:v1.3',
    ])
    expect(read({ enforce: 'restricted', warn: 'privileged', audit: 'baseline' })).toEqual([
      'restricted:latest baseline:latest privileged:latest',
    ])
  })

  test('that make no sense close what is enforced and open the rest', () => {
    const level = 'must be one of privileged, baseline, restricted'
    const version = 'must be "latest" or "v1.x"'
    const bad = { enforce: 'constructor', audit: '', warn: '__proto__', 'warn-version': 'v1.07' }
    expect(read(bad)).toEqual([
      'restricted:latest privileged:latest privileged:latest',
      `metadata.labels[${PREFIX}enforce]: Invalid value: "constructor": ${level}`,
      `metadata.labels[${PREFIX}audit]: Invalid value: "": ${level}`,
      `metadata.labels[${PREFIX}warn]: Invalid value: "__proto__": ${level}`,
      `metadata.labels[${PREFIX}warn-version]: Invalid value: "v1.07": ${version}`,
    ])
    for (const wrong of ['v2.0', '1.2', 'v1.-1', 'v1.', 'V1.2', ' v1.2', `v1.${'9'.repeat(30)}`]) {
      expect([wrong, read({ 'enforce-version': wrong }).length]).toEqual([wrong, 2])
    }
    expect(read({ 'enforce-version': `v1.${2n ** 63n - 1n}` })).toHaveLength(1)
  })
})

test('a pod that violates what is enforced is refused, and nothing is written', async () => {
  const audit = new Auditor()
  await using server = await testServer({ admissionPlugins: [audit] })
  await makeNamespace(server, 'r', { enforce: 'restricted', 'enforce-version': 'v1.30' })
  const before = server.store.revision
  const body = bare('p', {
    hostPID: true,
    containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }],
  })
  const { code, json } = await server.call('POST', pods('r'), { body })
  expect([code, json.message]).toEqual([
    403,
    'pods "p" is forbidden: violates PodSecurity "restricted:v1.30": host namespaces (hostPID=true), privileged ' +
      '(container "c" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (container "c" ' +
      'must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set ' +
      'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set ' +
      'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set ' +
      'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ])
  expect(json.details).toEqual({ name: 'p', kind: 'pods' })
  expect(server.store.revision).toBe(before)
  expect(audit.take()).toEqual({ 'enforce-policy': 'restricted:v1.30' })
  const generated = { ...bare(''), metadata: { generateName: 'p-' } }
  const other = await server.call('POST', pods('r'), { body: generated })
  expect(other.json.message).toMatch(/^pods "p-[a-z0-9]{5}" is forbidden: violates PodSecurity /)
})

test('what is warned of and audited is let in', async () => {
  const audit = new Auditor()
  await using server = await testServer({ admissionPlugins: [audit] })
  await makeNamespace(server, 'n', { warn: 'baseline', audit: 'baseline', 'audit-version': 'v1.3' })
  const made = await server.call('POST', pods('n'), { body: hostile('p') })
  expect([made.code, warningsOf(made)]).toEqual([
    201,
    ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'],
  ])
  expect(audit.take()).toEqual({
    'enforce-policy': 'privileged:latest',
    'audit-violations': 'would violate PodSecurity "baseline:v1.3": host namespaces (hostPID=true)',
  })
  const dry = await server.call('POST', `${pods('n')}?dryRun=All`, { body: hostile('q') })
  expect(warningsOf(dry)).toHaveLength(1)
})

test('who makes pods is warned, and never refused', async () => {
  await using server = await testServer()
  await makeNamespace(server, 'n', { enforce: 'baseline' })
  const template = { metadata: { labels: { a: 'b' } }, spec: { ...hostile('').spec } }
  const spec = { selector: { matchLabels: { a: 'b' } }, template }
  const metadata = { name: 'x' }
  const made = {
    podtemplates: ['/api/v1/namespaces/n/podtemplates', { metadata, template }],
    replicationcontrollers: [
      '/api/v1/namespaces/n/replicationcontrollers',
      { metadata, spec: { selector: { a: 'b' }, template } },
    ],
    deployments: ['/apis/apps/v1/namespaces/n/deployments', { metadata, spec }],
    replicasets: ['/apis/apps/v1/namespaces/n/replicasets', { metadata, spec }],
  } as const
  for (const [kind, [path, body]] of Object.entries(made)) {
    const answer = await server.call('POST', path, { body })
    expect([kind, answer.code, warningsOf(answer)]).toEqual([
      kind,
      201,
      ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'],
    ])
  }
  const without = { metadata: { name: 'y' }, spec: { replicas: 0, selector: { a: 'b' } } }
  const bareController = await server.call('POST', made.replicationcontrollers[0], {
    body: without,
  })
  expect(warningsOf(bareController)).toEqual([])
})

test('a pod that stands is judged again when its images change or it is debugged', async () => {
  await using server = await testServer()
  await makeNamespace(server, 'n')
  await server.call('POST', pods('n'), { body: hostile('p') })
  const labels = labelled({ enforce: 'baseline' })
  const merge = { 'content-type': 'application/merge-patch+json' }
  await server.call('PATCH', '/api/v1/namespaces/n', {
    body: { metadata: { labels } },
    headers: merge,
  })
  const patch = (body: object, sub = '') =>
    server.call('PATCH', `${pods('n')}/p${sub}`, {
      body,
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    })
  expect((await patch({ metadata: { labels: { a: 'b' } } })).code).toBe(200)
  expect((await patch({ status: { phase: 'Running' } }, '/status')).code).toBe(200)
  expect((await patch({ spec: { containers: [{ name: 'c', image: 'other' }] } })).code).toBe(403)
  const ephemeralContainers = [{ name: 'e', image: 'i' }]
  expect((await patch({ spec: { ephemeralContainers } }, '/ephemeralcontainers')).code).toBe(403)
})

test('a namespace with labels that make no sense is refused, unless it had them before', async () => {
  await using server = await testServer()
  const bad = await makeNamespace(server, 'n', { enforce: 'strict' })
  expect([bad.code, bad.json.message]).toEqual([
    422,
    'Namespace "n" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": ' +
      'must be one of privileged, baseline, restricted',
  ])
})

test('a namespace that comes to enforce more says which of its pods would not be let in', async () => {
  await using server = await testServer()
  await makeNamespace(server, 'n')
  for (const name of ['b', 'a', 'c']) await server.call('POST', pods('n'), { body: hostile(name) })
  await server.call('POST', pods('n'), { body: bare('d', { hostPID: true, hostIPC: true }) })
  await server.call('POST', pods('n'), {
    body: bare('e', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
  })
  await server.call('POST', pods('n'), { body: bare('f') })
  const label = async (labels: Record<string, string>) =>
    warningsOf(
      await server.call('PATCH', '/api/v1/namespaces/n', {
        body: { metadata: { labels: labelled(labels) } },
        headers: { 'content-type': 'application/merge-patch+json' },
      }),
    )
  expect(await label({ enforce: 'baseline' })).toEqual([
    'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
    'a (and 3 other pods): host namespaces',
    'e: hostPath volumes',
  ])
  expect(await label({ warn: 'restricted' })).toEqual([])
  expect(await label({ 'enforce-version': 'v1.20' })).toHaveLength(3)
  expect(await label({ enforce: 'privileged' })).toEqual([])
})

test('of many pods those of one controller wait, and the rest is not looked at', () => {
  const enforce = { level: 'baseline', version: 'latest' } as const
  const seen = Array.from({ length: 3005 }, (_, i) => ({
    name: `p${i}`,
    reason: i < 10 ? 'host namespaces' : '',
    isRepeated: i > 0 && i < 10,
  }))
  expect(plan('n', enforce, { seen, total: 4000 })).toEqual([
    'new PodSecurity enforce level only checked against the first 3000 of 4000 existing pods',
    'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
    'p0 (and 4 other pods): host namespaces',
  ])
})

describe('the configuration', () => {
  const file = (more: object) => ({
    apiVersion: 'pod-security.admission.config.k8s.io/v1',
    kind: 'PodSecurityConfiguration',
    ...more,
  })

  test('says what holds without labels, and who is exempt', async () => {
    const { settings, errors } = parseConfiguration(
      file({
        defaults: { enforce: 'baseline', 'enforce-version': 'v1.30', warn: 'restricted' },
        exemptions: { usernames: ['root'], namespaces: ['free'] },
      }),
    )
    expect(errors).toEqual([])
    const audit = new Auditor()
    await using server = await testServer({
      settings: { podSecurity: settings },
      admissionPlugins: [audit],
    })
    await makeNamespace(server, 'n')
    const refused = await server.call('POST', pods('n'), { body: hostile('p') })
    expect(refused.json.message).toContain('violates PodSecurity "baseline:v1.30": host namespaces')
    const user = { username: 'root', groups: ['system:masters'] }
    expect((await server.call('POST', pods('n'), { body: hostile('p'), user })).code).toBe(201)
    expect(audit.take()).toEqual({ exempt: 'user' })
    const free = await makeNamespace(server, 'free', { enforce: 'restricted', audit: 'baseline' })
    expect(warningsOf(free)).toEqual([
      'namespace "free" is exempt from Pod Security, and the policy (enforce=restricted:v1.30, ' +
        'audit=baseline:latest) will be ignored',
    ])
    expect((await server.call('POST', pods('free'), { body: hostile('p') })).code).toBe(201)
    expect(audit.take()).toEqual({ exempt: 'namespace' })
  })

  test('names every fault', () => {
    const { errors } = parseConfiguration({
      apiVersion: 'v1',
      kind: 'Other',
      extra: 1,
      defaults: { enforce: 'x', 'warn-version': '1', constructor: 'y' },
      exemptions: { usernames: [''], namespaces: ['A', 'b', 'b'], runtimeClasses: 'c' },
    })
    expect(errors.map(({ field }) => field)).toEqual([
      'extra',
      'apiVersion',
      'kind',
      'defaults.constructor',
      'defaults.enforce',
      'defaults.warn-version',
      'exemptions.usernames[0]',
      'exemptions.namespaces[0]',
      'exemptions.namespaces[2]',
      'exemptions.runtimeClasses',
    ])
    expect(parseConfiguration('text').errors.length).toBeGreaterThan(0)
    expect(parseConfiguration(undefined).errors.length).toBeGreaterThan(0)
  })
})
