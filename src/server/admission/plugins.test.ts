import { describe, expect, test } from 'bun:test'
import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import type { AnyObject, KubeObject } from '../../api/object.ts'
import type { Node, Pod, PriorityClass, ServiceAccount } from '../../api/schema/generated/types.ts'
import { SimClock } from '../../lib/clock.ts'
import { SeededRandom } from '../../lib/random.ts'
import type { ResourceRequest } from '../server.ts'
import type { KindCache } from '../storage/reader.ts'
import { newestDefault } from './builtin/default-ingress-class.ts'
import { nodeRestriction } from './builtin/node-restriction.ts'
import { defaultTolerations } from './builtin/pod-tolerations.ts'
import { podTopologyLabels } from './builtin/pod-topology-labels.ts'
import { priority } from './builtin/priority.ts'
import { serviceAccount, TOKEN_PATH } from './builtin/service-account.ts'
import type { AdmissionPlugin, Attributes } from './chain.ts'

function aCache<O extends KubeObject>(objects: Record<string, O>): KindCache<O> {
  const get = ({ namespace, name }: { namespace?: string; name: string }) =>
    objects[namespace ? `${namespace}/${name}` : name]
  return { get, values: () => Object.values(objects) } as unknown as KindCache<O>
}

function attributes(object: object | undefined, more: Partial<Attributes> = {}, user = 'jane') {
  const groups = user.startsWith('system:node:') ? ['system:nodes'] : []
  const call = { signal: new AbortController().signal }
  const request = {
    row: pods,
    user: { username: user, groups },
    call,
  } as unknown as ResourceRequest
  return {
    request,
    operation: 'CREATE',
    subresource: '',
    namespace: 'default',
    name: 'web',
    object: object as AnyObject,
    old: undefined,
    dryRun: false,
    ...more,
  } as Attributes
}

function aPod(spec: object = {}): Pod {
  return { metadata: { name: 'web' }, spec: { containers: [{ name: 'c' }], ...spec } }
}

async function admitted(plugin: AdmissionPlugin, pod: Pod): Promise<Pod> {
  await plugin.admit?.(attributes(pod))
  return pod
}

describe('ServiceAccount', () => {
  const accounts: Record<string, ServiceAccount> = {
    'default/default': { metadata: {}, imagePullSecrets: [{ name: 'pull' }] },
    'default/quiet': { metadata: {}, automountServiceAccountToken: false },
  }
  const clock = new SimClock()
  const plugin = serviceAccount({ accounts: aCache(accounts), clock, random: new SeededRandom(1) })

  test('gives a pod the default account, its token and its pull secrets', async () => {
    const { spec } = await admitted(plugin, aPod())
    expect(spec).toMatchObject({
      serviceAccountName: 'default',
      imagePullSecrets: [{ name: 'pull' }],
    })
    const [volume] = spec!.volumes!
    expect(volume!.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/)
    expect(spec!.containers[0]!.volumeMounts).toEqual([
      { name: volume!.name, readOnly: true, mountPath: TOKEN_PATH },
    ])
  })

  test('mounts nothing where the account or the pod says no, or brings its own', async () => {
    expect(
      (await admitted(plugin, aPod({ serviceAccountName: 'quiet' }))).spec!.volumes,
    ).toBeUndefined()
    const no = aPod({ automountServiceAccountToken: false })
    expect((await admitted(plugin, no)).spec!.volumes).toBeUndefined()
    const own = aPod()
    own.spec!.containers[0]!.volumeMounts = [{ name: 'x', mountPath: TOKEN_PATH }]
    expect((await admitted(plugin, own)).spec!.volumes).toBeUndefined()
  })

  test('refuses an account that is not there', async () => {
    expect(admitted(plugin, aPod({ serviceAccountName: 'gone' }))).rejects.toThrow(
      'pods "web" is forbidden: error looking up service account default/gone: ' +
        'serviceaccount "gone" not found',
    )
  })

  test('waits for the account of a new namespace', async () => {
    const later: Record<string, ServiceAccount> = {}
    const waiting = serviceAccount({ accounts: aCache(later), clock, random: new SeededRandom(1) })
    const pending = admitted(waiting, aPod())
    await clock.advance(60)
    later['default/default'] = { metadata: {} }
    await clock.advance(60)
    expect((await pending).spec!.volumes).toHaveLength(1)
  })
})

describe('Priority', () => {
  const classes: Record<string, PriorityClass> = {
    high: { metadata: { name: 'high' }, value: 7, preemptionPolicy: 'Never' },
  }
  const plugin = priority(aCache(classes))

  test('writes the number of the class', async () => {
    expect((await admitted(plugin, aPod({ priorityClassName: 'high' }))).spec).toMatchObject({
      priority: 7,
      preemptionPolicy: 'Never',
    })
    expect((await admitted(plugin, aPod())).spec).toMatchObject({
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    })
  })

  test('refuses unknown classes and numbers of the own making', () => {
    expect(admitted(plugin, aPod({ priorityClassName: 'x' }))).rejects.toThrow(
      'no PriorityClass with name x was found',
    )
    expect(admitted(plugin, aPod({ priority: 9 }))).rejects.toThrow(
      'must not be provided in pod spec',
    )
  })
})

test('tolerations for lost nodes are added once, and not over others', async () => {
  const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }
  const pod = await admitted(defaultTolerations, aPod({ tolerations: [own] }))
  expect(pod.spec!.tolerations!.map(({ key }) => key)).toEqual([
    'node.kubernetes.io/not-ready',
    'node.kubernetes.io/unreachable',
  ])
  await admitted(defaultTolerations, pod)
  expect(pod.spec!.tolerations).toHaveLength(2)
})

describe('NodeRestriction', () => {
  const mine = { metadata: { uid: 'u' }, spec: { nodeName: 'a' } }
  const theirs = { metadata: { uid: 'v' }, spec: { nodeName: 'b' } }
  const plugin = nodeRestriction({
    issuer: 'https://kubernetes.default.svc',
    pods: aCache({ 'default/mine': mine, 'default/theirs': theirs } as unknown as Record<
      string,
      Pod
    >),
    nodes: aCache({}),
    mayDo: () => false,
  })
  const tries = (more: Partial<Attributes> & { row?: object }, object: object = {}) => {
    const all = attributes(object, more, 'system:node:a')
    const request = { ...all.request, ...(more.row ? { row: more.row } : {}) }
    return () => plugin.admit?.({ ...all, request } as Attributes)
  }

  test('keeps a node to its own Node, without taints and restricted labels', () => {
    const on = (name: string, object: object, old?: object) =>
      tries({ row: nodes, name, operation: 'UPDATE', old: old as AnyObject }, object)
    const node = { metadata: { name: 'a' }, spec: {} }
    expect(on('b', node, node)).toThrow('node "a" is not allowed to modify node "b"')
    expect(on('a', { ...node, spec: { taints: [{ key: 'x' }] } }, node)).toThrow('modify taints')
    const labels = { 'node-restriction.kubernetes.io/x': '1', fine: '1' }
    expect(on('a', { ...node, metadata: { name: 'a', labels } }, node)).toThrow(
      'not allowed to modify labels: node-restriction.kubernetes.io/x',
    )
    expect(on('a', node, node)).not.toThrow()
  })

  test('keeps a node to its own pods', () => {
    const status = { subresource: 'status', operation: 'UPDATE' } as const
    expect(tries({ ...status, old: theirs as unknown as AnyObject }, theirs)).toThrow(
      'can only update pod status for pods with spec.nodeName set to itself',
    )
    expect(tries({ ...status, old: mine as unknown as AnyObject }, mine)).not.toThrow()
    expect(tries({ operation: 'DELETE', name: 'theirs' })).toThrow('can only delete pods')
    expect(tries({ operation: 'DELETE', name: 'mine' })).not.toThrow()
    expect(tries({}, { metadata: {}, spec: { nodeName: 'a' } })).toThrow(
      'can only create mirror pods',
    )
  })

  test('leaves everybody else alone', () => {
    expect(plugin.admit?.(attributes({ metadata: {}, spec: {} }))).toBeUndefined()
  })
})

describe('Secrets that an account does not list', () => {
  const metadata = {
    name: 'strict',
    annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' },
  }
  const strict: ServiceAccount = {
    metadata,
    secrets: [{ name: 'mine' }],
    imagePullSecrets: [{ name: 'pull' }],
  }
  const loose: ServiceAccount = { metadata: { name: 'loose' } }
  const clock = new SimClock()
  const accounts = aCache({ 'default/strict': strict, 'default/loose': loose })
  const plugin = serviceAccount({ accounts, clock, random: new SeededRandom(1) })
  const env = (name: string) => [{ name: 'V', valueFrom: { secretKeyRef: { name, key: 'k' } } }]
  const container = (more: object) => ({ name: 'c', image: 'i', ...more })
  const why = 'is not allowed because service account strict does not reference that'
  const tries = (spec: object, more: Partial<Attributes> = {}) =>
    plugin.validate?.(attributes(aPod({ serviceAccountName: 'strict', ...spec }), more))

  const refusals: readonly [object, string][] = [
    [
      { volumes: [{ name: 'v', secret: { secretName: 'x' } }] },
      `volume with secret.secretName="x" ${why} secret`,
    ],
    [
      { initContainers: [container({ env: env('x') })] },
      `init container c with envVar V referencing secret.secretName="x" ${why} secret`,
    ],
    [
      { containers: [container({ env: env('x') })] },
      `container c with envVar V referencing secret.secretName="x" ${why} secret`,
    ],
    [
      { containers: [container({ envFrom: [{ secretRef: { name: 'x' } }] })] },
      `container c with envFrom referencing secret.secretName="x" ${why} secret`,
    ],
    [
      { imagePullSecrets: [{ name: 'pull' }, { name: 'x' }] },
      `imagePullSecrets[1].name="x" ${why} imagePullSecret`,
    ],
  ]

  test('are refused in every place where a pod names one', () => {
    for (const [spec, message] of refusals) {
      expect(() => tries(spec)).toThrow(`pods "web" is forbidden: ${message}`)
    }
    const debug = { ephemeralContainers: [container({ env: env('x') })] }
    expect(() => tries(debug, { operation: 'UPDATE', subresource: 'ephemeralcontainers' })).toThrow(
      `ephemeral container c with envVar V referencing secret.secretName="x" ${why} secret`,
    )
  })

  test('are fine where the account lists them, or asks for nothing', () => {
    expect(() => tries({ containers: [container({ env: env('mine') })] })).not.toThrow()
    for (const [spec] of refusals) {
      expect(() => tries({ ...spec, serviceAccountName: 'loose' })).not.toThrow()
    }
  })

  test('are of no use to a mirror pod', () => {
    const mirror = aPod({ volumes: [{ name: 'v', secret: { secretName: 'x' } }] })
    mirror.metadata.annotations = { 'kubernetes.io/config.mirror': 'x' }
    mirror.metadata.namespace = 'default'
    expect(() => plugin.admit?.(attributes(mirror))).toThrow(
      'a mirror pod may not reference secrets',
    )
  })
})

describe('PodTopologyLabels', () => {
  const zone = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' }
  const node = { metadata: { name: 'n', labels: { ...zone, other: 'x' } }, spec: {} }
  const plugin = podTopologyLabels(
    aCache<Node>({ n: node, bare: { metadata: { name: 'bare' }, spec: {} } }),
  )

  test('tells a bound pod its zone and region, over what it said itself', async () => {
    const binding = (name: string) => ({
      metadata: { name: 'web', labels: { a: 'b', 'topology.kubernetes.io/zone': 'mine' } },
      target: { kind: 'Node', name },
    })
    const [known, bare, unknown] = [binding('n'), binding('bare'), binding('gone')]
    for (const object of [known, bare, unknown]) {
      await plugin.admit?.(attributes(object, { subresource: 'binding' }))
    }
    expect(known.metadata.labels).toEqual({ a: 'b', ...zone })
    expect(bare.metadata.labels).toEqual(unknown.metadata.labels)
    const pod = await admitted(plugin, aPod({ nodeName: 'n' }))
    expect(pod.metadata.labels).toEqual(zone)
  })
})

describe('DefaultIngressClass', () => {
  const aClass = (name: string, creationTimestamp: string, isDefault = 'true') => ({
    metadata: {
      name,
      creationTimestamp,
      annotations: { 'ingressclass.kubernetes.io/is-default-class': isDefault },
    },
    spec: { controller: 'a.b/c' },
  })

  test('takes the newest of several defaults, and of those of one moment the first by name', () => {
    const [old, young] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z']
    expect(newestDefault([aClass('a', old), aClass('b', young)])).toBe('b')
    expect(newestDefault([aClass('b', young), aClass('a', young), aClass('c', old)])).toBe('a')
    expect(newestDefault([aClass('a', old, 'false')])).toBeUndefined()
  })
})
