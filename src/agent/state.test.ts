import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPod } from '../../test/support/pod.ts'
import { silentLog } from '../lib/log.ts'
import { SeededRandom } from '../lib/random.ts'
import { AgentState } from './state.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-state-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open = () => AgentState.open({ folder, random: new SeededRandom(1), log: silentLog })
const secret = { metadata: { name: 's', namespace: 'shop' }, data: { a: 'aHVzaA==' } }

test('what was kept is there after a restart', async () => {
  const state = await open()
  state.keepPod(aPod({ name: 'web' }))
  state.keepObject('secret', secret)
  state.keepServices([{ metadata: { name: 'web', uid: '1' }, spec: { clusterIP: '10.43.0.5' } }])
  await state.settled()
  const again = await open()
  expect(again.pods.map(({ metadata }) => metadata.name)).toEqual(['web'])
  expect(again.object('secret', 'shop', 's')).toMatchObject(secret)
  expect(again.services[0]?.spec?.clusterIP).toBe('10.43.0.5')
})

test('Secrets are sealed, and the key is for root alone', async () => {
  const state = await open()
  state.keepObject('secret', secret)
  await state.settled()
  const bytes = await readFile(join(folder, 'objects/secret_shop_s.json'))
  expect(bytes.includes('aHVzaA==')).toBe(false)
  expect((await stat(join(folder, 'key'))).mode & 0o777).toBe(0o600)
})

test('nothing is written when nothing that matters has changed', async () => {
  const state = await open()
  const pod = aPod({ status: { phase: 'Running' } })
  state.keepPod(pod)
  await state.settled()
  const path = join(folder, 'pods/u.json')
  const before = (await stat(path)).mtimeMs
  const later = { ...pod, metadata: { ...pod.metadata, resourceVersion: '99' } }
  state.keepPod({ ...later, status: { phase: 'Running', conditions: [] } })
  await state.settled()
  expect((await stat(path)).mtimeMs).toBe(before)
  state.keepPod({ ...later, status: { phase: 'Failed' } })
  await state.settled()
  expect((await open()).pods[0]!.status!.phase).toBe('Failed')
})

test('what was dropped is gone, also when it is dropped while it is written', async () => {
  const state = await open()
  state.keepPod(aPod())
  state.dropPod('u')
  state.keepObject('configmap', secret)
  await state.settled()
  state.dropObject('configmap', 'shop', 's')
  await state.settled()
  expect(await readdir(join(folder, 'pods'))).toEqual([])
  expect(await readdir(join(folder, 'objects'))).toEqual([])
})

test('a file that was cut short is left out, and the rest is read', async () => {
  const state = await open()
  state.keepPod(aPod())
  state.keepObject('secret', secret)
  await state.settled()
  await writeFile(join(folder, 'pods/broken.json'), '{"metadata":')
  await writeFile(join(folder, 'objects/secret_shop_x.json'), 'short')
  const again = await open()
  expect(again.pods).toHaveLength(1)
  expect(again.object('secret', 'shop', 's')).toBeDefined()
  expect(again.object('secret', 'shop', 'x')).toBeUndefined()
})
