// Images for real: pulled from a registry, imported, found, removed. Run by images.test.ts in
// namespaces of its own.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { dockerArchive } from '../images/image.ts'
import { testImages } from '../images/recipes.ts'
import { type Registry, startRegistry } from '../images/registry.ts'
import { type RealRuntime, startRealRuntime } from '../support/real-runtime.ts'
import { aPod, untilExited } from './runtime.contract.ts'

const signal = new AbortController().signal
const images = await testImages()
const account = { username: 'me', password: 'not on a command line' }
let world: RealRuntime
let open: Registry
let closed: Registry

beforeAll(async () => {
  Bun.spawnSync(['ip', 'link', 'set', 'lo', 'up'])
  world = await startRealRuntime()
  open = await startRegistry({ folder: join(world.folder, 'open') }, images)
  closed = await startRegistry({ folder: join(world.folder, 'closed'), account }, images)
}, 60_000)
afterAll(async () => {
  await open.stop()
  await closed.stop()
  await world.close()
}, 60_000)

const digest = images[0]!.manifest.digest

test('an image is pulled by tag, with its digest and configuration', async () => {
  const name = `${open.host}/kedge-test/web:1`
  expect(await world.images.find(name, signal)).toBeUndefined()
  const image = await world.images.pull(name, [], signal)
  expect(image).toMatchObject({ name, config: { user: 'web', entrypoint: ['/bin/web'] } })
  expect(image.repoDigests[0]).toBe(`${open.host}/kedge-test/web@${images[1]!.manifest.digest}`)
  expect(image.sizeBytes).toBeGreaterThan(100_000)
  expect(await world.images.find(name, signal)).toEqual(image)
  expect((await world.images.find(image.id, signal))?.id).toBe(image.id)
})

test('an image is pulled by digest and runs', async () => {
  const name = `${open.host}/kedge-test/busybox@${digest}`
  const image = await world.images.pull(name, [], signal)
  expect(image.name).toBe(name)
  const { uid, pod, config, sandbox } = aPod(world, 'exit 5')
  await world.runtime.createSandbox(pod, sandbox, signal)
  const { id } = await world.runtime.startContainer(config({ image }), signal)
  expect(await untilExited(world.runtime, uid, id)).toMatchObject({ exitCode: 5, imageId: name })
  await world.runtime.removeSandbox(uid, signal)
})

test('the web image serves its page and its environment', async () => {
  const image = (await world.images.find('kedge-test/web:1', signal))!
  const { uid, pod, config, sandbox } = aPod(world, '')
  const [ip] = (await world.runtime.createSandbox(pod, sandbox, signal)).ips
  const started = { ...config({ image, env: ['COLOUR=red'] }), command: undefined }
  const { id } = await world.runtime.startContainer(started, signal)
  const ask = (path: string) =>
    fetch(`http://${ip}:8080${path}`)
      .then((answer) => answer.text())
      .catch(() => undefined) // Not listening yet.
  let page = await ask('/')
  while (page === undefined) page = await ask('/')
  expect(page).toBe(`hello from ${sandbox.hostname}\n`)
  expect(await ask('/cgi-bin/env')).toContain('COLOUR=red')
  expect(await ask('/page.html')).toBe('a page\n')
  await world.runtime.stopContainer(id, 10, signal)
  const [ended] = (await world.runtime.observe(uid, signal)).containers
  expect(ended).toMatchObject({ exitCode: 0 })
  await world.runtime.removeSandbox(uid, signal)
})

test('equal pulls give one image, and one that gives up does not stop the other', async () => {
  const name = `${open.host}/kedge-test/busybox:1`
  const impatient = new AbortController()
  const first = world.images.pull(name, [], impatient.signal)
  const second = world.images.pull(name, [], signal)
  impatient.abort(new Error('no time'))
  await expect(first).rejects.toThrow('no time')
  expect((await second).name).toBe(name)
})

test('failures carry the reason and the words that people know', async () => {
  const failing = (name: string) => world.images.pull(name, [], signal)
  const missing = `${open.host}/kedge-test/none:1`
  await expect(failing(missing)).rejects.toMatchObject({ reason: 'ErrImagePull' })
  await expect(failing(missing)).rejects.toThrow(`failed to pull and unpack image "${missing}":`)
  await expect(failing(missing)).rejects.toThrow('not found')
  await expect(failing('127.0.0.1:1/a/b:1')).rejects.toThrow('connection refused')
  await expect(failing('Not/A:name:1')).rejects.toMatchObject({ reason: 'InvalidImageName' })
})

test('a closed registry opens with the right account, whichever is tried first', async () => {
  const name = `${closed.host}/kedge-test/busybox:1`
  const wrong = { ...account, password: 'wrong' }
  await expect(world.images.pull(name, [], signal)).rejects.toMatchObject({
    reason: 'ErrImagePull',
  })
  await expect(world.images.pull(name, [wrong], signal)).rejects.toThrow('401 Unauthorized')
  expect((await world.images.pull(name, [wrong, account], signal)).name).toBe(name)
})

test('the archive of docker save is imported under its names', async () => {
  const archive = join(world.folder, 'docker.tar')
  await Bun.write(archive, dockerArchive(images))
  const names = ['docker.io/kedge-test/busybox:1', 'docker.io/kedge-test/web:1']
  expect((await world.images.import(archive, signal)).toSorted()).toEqual(names)
  expect(await world.images.find('kedge-test/web:1', signal)).toBeDefined()
})

test('removing takes one name, or by its id all of them', async () => {
  const name = `${open.host}/kedge-test/web:1`
  const { id } = (await world.images.find(name, signal))!
  await world.images.remove(name, signal)
  expect(await world.images.find(name, signal)).toBeUndefined()
  expect(await world.images.find('kedge-test/web:1', signal)).toBeDefined()
  await world.images.remove(id, signal)
  expect((await world.images.list(signal)).map((image) => image.id)).not.toContain(id)
  await world.images.remove('kedge-test/never:1', signal)
})

test('what ctr does beside us is noticed', async () => {
  const { ctr } = world.containerd
  await ctr.run(['images', 'tag', 'docker.io/kedge-test/busybox:1', 'docker.io/a/b:1'], signal)
  while ((await world.images.find('a/b:1', signal)) === undefined) await Bun.sleep(5)
  await ctr.run(['images', 'rm', 'docker.io/a/b:1'], signal)
  while ((await world.images.find('a/b:1', signal)) !== undefined) await Bun.sleep(5)
})
