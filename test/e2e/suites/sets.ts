// StatefulSets and DaemonSets as people work with them, in a namespace of their own.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../../support/machines.ts'
import type { Cluster } from '../cluster.ts'
import type { Suite } from '../suite.ts'

export const setsSuite: Suite = {
  name: 'sets',
  machines: { servers: 1, agents: 1 },
  isForEachKubectl: true,
  tests: setsTests,
}

const IMAGE = 'kedge-test/busybox:1'
const SAME = `docker.io/${IMAGE}`

/** The signs in the annotation are those that JSON may be written in two ways for. */
const template = (app: string) => ({
  metadata: { labels: { app }, annotations: { note: 'a <b> & c' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: IMAGE, command: ['sleep', '100000'] }],
  },
})

const db = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db' },
    spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 80 }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas: 2,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: template('db'),
    },
  },
]

const daemon = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'daemon' },
  spec: { selector: { matchLabels: { app: 'daemon' } }, template: template('daemon') },
}

const list = (items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

type Given = {
  kubectl: Cluster['kubectl']
  run: (...args: string[]) => Promise<string>
  /** Whether it writes templates as the server does: before 1.34 it adds a time that is null. */
  comparesTemplates: boolean
}

function setsTests(
  get: () => Cluster,
  { program, version }: { program: string; version: string },
): void {
  const namespace = `ke-sets-${version.replace('.', '-')}`
  const own = (): Given => {
    const kubectl = get().kubectl.with({ program, namespace })
    const comparesTemplates = Number(version.split('.')[1]) >= 34
    return { kubectl, run: (...args) => kubectl(args), comparesTemplates }
  }

  beforeAll(async () => {
    await own().run('create', 'namespace', namespace)
  }, 30_000)
  afterAll(async () => {
    await own().run('delete', 'namespace', namespace, '--timeout=60s')
  }, 70_000)

  statefulSetTests(own)
  daemonSetTests(own)
}

function statefulSetTests(own: () => Given): void {
  test('a StatefulSet starts in order, and its pods find one another by name', async () => {
    const { kubectl, run } = own()
    await kubectl(['apply', '-f', '-'], list(db))
    const status = await run('rollout', 'status', 'sts/db', '--timeout=90s')
    expect(status).toContain('partitioned roll out complete: 2 new pods have been updated')
    expect(await run('get', 'sts', 'db')).toMatch(/READY +AGE\ndb +2\/2 /)
    const { items } = await kubectl.json(['get', 'pods', '-l', 'app=db'])
    const [first, second] = items
    expect([first.metadata.name, second.metadata.name]).toEqual(['db-0', 'db-1'])
    const startOf = (pod: typeof first) => Date.parse(pod.metadata.creationTimestamp)
    expect(startOf(second)).toBeGreaterThanOrEqual(startOf(first))
    expect(await run('exec', 'db-1', '--', 'hostname')).toBe('db-1\n')
    // The look-up of busybox does not go through the search path.
    const name = `db-0.db.${kubectl.namespace}.svc.cluster.local`
    const found = async () => (await kubectl.try(['exec', 'db-1', '--', 'nslookup', name])).stdout
    await until('the first is found', async () => (await found()).includes(first.status.podIP))
  })

  test('it rolls from the last to the first, and back', async () => {
    await rolls(own(), 'sts', 'db')
    const { run } = own()
    const pause = await own().kubectl.try(['rollout', 'pause', 'sts/db'])
    expect(pause.stderr).toContain('pausing is not supported')
    await run('scale', 'sts/db', '--replicas=1')
    await run('wait', '--for=delete', 'pod/db-1', '--timeout=60s')
    expect(await run('get', 'pods', '-l', 'app=db', '-o', 'name')).toBe('pod/db-0\n')
  })
}

function daemonSetTests(own: () => Given): void {
  test('a DaemonSet runs on each node', async () => {
    const { kubectl, run } = own()
    await kubectl(['apply', '-f', '-'], list([daemon]))
    const status = await run('rollout', 'status', 'ds/daemon', '--timeout=90s')
    expect(status).toContain('successfully rolled out')
    expect(await run('get', 'ds', 'daemon', '--no-headers')).toMatch(/^daemon( +2){5} +<none> /)
    const { items } = await kubectl.json(['get', 'pods', '-l', 'app=daemon'])
    const nodes = items.map((pod: { spec: { nodeName: string } }) => pod.spec.nodeName)
    expect(nodes.toSorted()).toEqual(['edge', 'server'])
  })

  test('it rolls, and back', () => rolls(own(), 'ds', 'daemon'), 120_000)

  test('it leaves a node that it is not for any more', async () => {
    const { kubectl, run } = own()
    const nodeSelector = { 'kubernetes.io/hostname': 'edge' }
    const patch = JSON.stringify({ spec: { template: { spec: { nodeSelector } } } })
    await run('patch', 'ds', 'daemon', '-p', patch)
    await run('rollout', 'status', 'ds/daemon', '--timeout=90s')
    const { items } = await kubectl.json(['get', 'pods', '-l', 'app=daemon'])
    const staying = items.filter((pod: { metadata: object }) => {
      return !('deletionTimestamp' in pod.metadata)
    })
    expect(staying.map((pod: { spec: object }) => pod.spec)).toMatchObject([{ nodeName: 'edge' }])
  })
}

/** Another template, the history of both, back to the first, and no step where there is none. */
async function rolls(given: Given, kind: string, name: string): Promise<void> {
  const { kubectl, run, comparesTemplates } = given
  const what = `${kind}/${name}`
  const rolledOut = () => run('rollout', 'status', what, '--timeout=90s')
  const images = async () => {
    const { items } = await kubectl.json(['get', 'pods', '-l', `app=${name}`])
    const specs = items.map((pod: { spec: { containers: { image: string }[] } }) => pod.spec)
    return new Set(specs.map((spec: (typeof specs)[number]) => spec.containers[0].image))
  }
  await run('set', 'image', what, `main=${SAME}`)
  await run('annotate', what, 'kubernetes.io/change-cause=another name')
  await rolledOut()
  expect(await images()).toEqual(new Set([SAME]))
  expect(await run('rollout', 'history', what)).toMatch(/\n1 .*\n2 /)
  expect(await run('rollout', 'history', what, '--revision=1')).toContain(IMAGE)
  expect(await run('rollout', 'undo', what)).toContain('rolled back')
  await rolledOut()
  expect(await images()).toEqual(new Set([IMAGE]))
  expect(await run('rollout', 'history', what)).toMatch(/\n2 .*\n3 /)
  const again = await run('rollout', 'undo', what, '--to-revision=3')
  const skipped = 'skipped rollback (current template already matches revision 3)'
  expect(again).toContain(comparesTemplates ? skipped : 'rolled back')
  await run('rollout', 'restart', what)
  await rolledOut()
}
