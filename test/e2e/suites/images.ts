// Where images come from: archives, registries with and without passwords, and nowhere.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dockerArchive, type Image } from '../../images/image.ts'
import { freshImage } from '../../images/recipes.ts'
import { type Registry, startRegistry } from '../../images/registry.ts'
import { KEDGE, ok, until } from '../../support/machines.ts'
import { type Cluster, useNamespace } from '../cluster.ts'
import type { Suite } from '../suite.ts'

const NAMESPACE = 'ke-images'
const ACCOUNT = { username: 'puller', password: "pass word'$1" }

export const imagesSuite: Suite = {
  name: 'images',
  machines: { servers: 1, agents: 1 },
  tests: imagesTests,
}

function imagesTests(get: () => Cluster): void {
  const own = () => get().kubectl.with({ namespace: NAMESPACE })
  const kubectl = (...args: string[]) => own()(args)

  useNamespace(get, NAMESPACE)

  test('come by archive, in both formats', async () => {
    const { lab, edge } = get()
    const tar = join(lab.folder, 'docker.tar')
    writeFileSync(tar, dockerArchive([await freshImage('kedge-test/brought:1', 'brought\n')]))
    expect(await edge.importImages(tar)).toBe('imported docker.io/kedge-test/brought:1\n')
    const list = await ok(edge.on([KEDGE, 'images', 'list', '--run-dir', edge.runDir]))
    expect(list).toMatch(/docker\.io\/kedge-test\/brought:1 +[0-9a-f]{12} +\d\.\d MB/)
    expect(list).toMatch(/docker\.io\/kedge-test\/web:1 /)
    await run('brought', 'kedge-test/brought:1')
    const page = ['exec', 'brought', '--', 'cat', '/www/fresh.html']
    expect(await kubectl(...page)).toBe('brought\n')
  })

  registryTests(get, own, run)

  test('that cannot be had are named, with the reason, again and again', async () => {
    await create('wrong', '127.0.0.1:1/not-there:1')
    await waits('wrong', 'ImagePullBackOff')
    const events = await kubectl('events', '--for', 'pod/wrong')
    expect(events).toContain('Failed to pull image "127.0.0.1:1/not-there:1"')
    expect(events).toContain('Error: ErrImagePull')
    expect(events).toContain('Back-off pulling image "127.0.0.1:1/not-there:1"')
    await create('never', 'kedge-test/absent:1', { imagePullPolicy: 'Never' })
    await waits('never', 'ErrImageNeverPull')
    await create('crooked', 'Not/A:Name:')
    await waits('crooked', 'InvalidImageName')
    // The agent stays well.
    await run('after', 'kedge-test/web:1')
  })

  /** A pod on the node that has the registries. */
  async function create(name: string, image: string, more: object = {}): Promise<void> {
    const { spec = {}, ...container } = more as { spec?: object }
    const nodeSelector = { 'kubernetes.io/hostname': 'edge' }
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { nodeSelector, containers: [{ name: 'web', image, ...container }], ...spec },
    }
    await own()(['create', '-f', '-'], JSON.stringify(pod))
  }

  async function run(name: string, image: string, more: object = {}): Promise<void> {
    await create(name, image, more)
    await kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s')
  }

  async function waits(name: string, reason: string): Promise<void> {
    await until(reason, async () => (await kubectl('get', 'pod', name)).includes(reason))
  }
}

type Own = () => Cluster['kubectl']
type Run = (name: string, image: string, more?: object) => Promise<void>

function registryTests(get: () => Cluster, own: Own, run: Run): void {
  const kubectl = (...args: string[]) => own()(args)
  const registries: Registry[] = []
  const imageOf = (i: number, tag = ':1') => `${registries[i]!.host}/kedge-test/fresh${tag}`
  let image: Image

  describe('of a registry', () => {
    beforeAll(async () => {
      image = await freshImage('kedge-test/fresh:1', 'pulled\n')
      for (const [i, account] of [undefined, ACCOUNT].entries()) {
        const folder = join(get().lab.folder, `registry-${i}`)
        const on = (argv: string[]) => get().edge.on(argv)
        const options = { folder, on, ...(account === undefined ? {} : { account }) }
        registries.push(await startRegistry(options, [image]))
      }
    }, 60_000)
    afterAll(async () => {
      for (const registry of registries) await registry.stop()
    })

    test('are refused without a password', async () => {
      await kubectl('run', 'refused', `--image=${imageOf(1)}`, onEdge())
      await until('a refusal', async () => {
        return (await kubectl('events', '--for', 'pod/refused')).includes('Failed to pull image')
      })
      const refusal = /401 Unauthorized|authorization failed|no basic auth credentials/
      expect(await kubectl('events', '--for', 'pod/refused')).toMatch(refusal)
    })

    test('are pulled with the Secret of the pod', async () => {
      const { username, password } = ACCOUNT
      const account = [`--docker-username=${username}`, `--docker-password=${password}`]
      const server = `--docker-server=${registries[1]!.host}`
      await kubectl('create', 'secret', 'docker-registry', 'account', server, ...account)
      await run('secret', imageOf(1), { spec: { imagePullSecrets: [{ name: 'account' }] } })
      expect(await kubectl('exec', 'secret', '--', 'cat', '/www/fresh.html')).toBe('pulled\n')
      const events = await kubectl('events', '--for', 'pod/secret')
      expect(events).toContain(`Successfully pulled image "${imageOf(1)}" in `)
    })

    test('are pulled with the Secret of the service account', async () => {
      const patch = JSON.stringify({ imagePullSecrets: [{ name: 'account' }] })
      await kubectl('patch', 'serviceaccount', 'default', '-p', patch)
      await run('account', imageOf(1), { imagePullPolicy: 'Always' })
    })

    test('are pulled by tag and by digest, and known by it', async () => {
      const { digest } = image.manifest
      await run('tag', imageOf(0))
      await run('digest', imageOf(0, `@${digest}`))
      for (const name of ['tag', 'digest']) {
        const id = '-o=jsonpath={.status.containerStatuses[0].imageID}'
        expect(await kubectl('get', 'pod', name, id)).toBe(imageOf(0, `@${digest}`))
      }
    })
  })
}

function onEdge(): string {
  const spec = { nodeSelector: { 'kubernetes.io/hostname': 'edge' } }
  return `--overrides=${JSON.stringify({ spec })}`
}
