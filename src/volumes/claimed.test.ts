import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPod } from '../../test/support/pod.ts'
import type { PersistentVolume, Pod, Volume } from '../api/schema/generated/types.ts'
import { LOCAL_PROVISIONER } from '../api/volume/local.ts'
import { ClaimedVolumes } from './claimed.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-claimed-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const VOLUME: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'data' } }
const signal = new AbortController().signal

type World = { claimed: ClaimedVolumes; pods: string; local: string; asked: number }

async function aWorld(spec: (local: string) => PersistentVolume['spec'], mounted: string[] = []) {
  const root = await mkdtemp(join(folder, 'w-'))
  const [pods, local] = [join(root, 'pods'), join(root, 'volumes')]
  const world: World = { pods, local, asked: 0, claimed: undefined as never }
  world.claimed = new ClaimedVolumes({
    pods,
    local,
    mountinfo: async () =>
      mounted.map((at) => `1 1 0:1 / ${join(root, at)} rw - x x rw`).join('\n'),
    claims: {
      async volumeOf() {
        world.asked++
        const annotations = { 'pv.kubernetes.io/provisioned-by': LOCAL_PROVISIONER }
        return { metadata: { name: 'pvc-1', annotations }, spec: spec(local) }
      },
    },
  })
  return world
}

const made = (local: string) => ({ local: { path: join(local, 'pvc-1') } })
const pod = (uid = 'u1', fsGroup?: number): Pod => {
  const base = aPod()
  const securityContext = fsGroup === undefined ? {} : { fsGroup }
  return { ...base, metadata: { ...base.metadata, uid }, spec: { ...base.spec, securityContext } }
}
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8)

describe('volumes of class local', () => {
  test('a folder is made, open to all, and the server is asked once', async () => {
    const world = await aWorld(made)
    await world.claimed.prepare(pod(), VOLUME, signal)
    const path = join(world.local, 'pvc-1')
    expect(await modeOf(path)).toBe('777')
    await world.claimed.prepare(pod(), VOLUME, signal)
    expect(world.asked).toBe(1)
    expect(await world.claimed.recorded(pod(), VOLUME)).toEqual({ path, source: 'made' })
  })

  test('what the users of a folder have made of its mode stays, and its group is opened', async () => {
    const world = await aWorld(made)
    const path = join(world.local, 'pvc-1')
    await mkdir(path, { recursive: true })
    await chmod(path, 0o700)
    await world.claimed.prepare(pod('u1'), VOLUME, signal)
    expect(await modeOf(path)).toBe('700')
    await world.claimed.prepare(pod('u2', process.getgid!()), VOLUME, signal)
    expect(await modeOf(path)).toBe('2770')
  })

  test('a folder goes when no pod has it, and not before', async () => {
    const world = await aWorld(made)
    await world.claimed.prepare(pod(), VOLUME, signal)
    await writeFile(join(world.local, 'pvc-1', 'f'), 'x')
    await expect(world.claimed.remove('pvc-1')).rejects.toThrow('volume pvc-1 is used by pod u1')
    await rm(join(world.pods, 'u1'), { recursive: true })
    await world.claimed.remove('pvc-1')
    expect(await readdir(world.local)).toEqual([])
    await world.claimed.remove('pvc-1')
  })

  test('nothing is removed through a mount, nor outside of the folder of volumes', async () => {
    const world = await aWorld(made, ['volumes/pvc-1/disk'])
    await mkdir(join(world.local, 'pvc-1', 'disk'), { recursive: true })
    await expect(world.claimed.remove('pvc-1')).rejects.toThrow('is mounted')
    for (const name of ['..', '.', '', 'a/b', '../pods', '/etc']) {
      await expect(world.claimed.remove(name)).rejects.toThrow('is no name of a volume')
    }
  })

  test('a folder elsewhere is not made, whoever says that it is one of ours', async () => {
    const world = await aWorld(() => ({ local: { path: join(folder, 'not', 'there') } }))
    await expect(world.claimed.prepare(pod(), VOLUME, signal)).rejects.toThrow('does not exist')
  })
})

describe('other volumes', () => {
  test('hostPath is checked as in a pod', async () => {
    const world = await aWorld(() => ({
      hostPath: { path: join(folder, 'no'), type: 'Directory' },
    }))
    await expect(world.claimed.prepare(pod(), VOLUME, signal)).rejects.toThrow('is not a directory')
  })

  test('what a node cannot mount is named', async () => {
    const nfs = await aWorld(() => ({
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1' },
      nfs: { server: 's', path: '/p' },
    }))
    await expect(nfs.claimed.prepare(pod(), VOLUME, signal)).rejects.toThrow(
      'volumes of type nfs are not supported',
    )
    const block = await aWorld((local) => ({ ...made(local), volumeMode: 'Block' }))
    await expect(block.claimed.prepare(pod(), VOLUME, signal)).rejects.toThrow('mode Block')
  })

  test('half a record is none', async () => {
    const world = await aWorld(made)
    await mkdir(join(world.pods, 'u1', 'claims'), { recursive: true })
    await writeFile(join(world.pods, 'u1', 'claims', 'v.json'), '{"path": "/x')
    await world.claimed.prepare(pod(), VOLUME, signal)
    expect((await world.claimed.recorded(pod(), VOLUME))?.source).toBe('made')
  })
})
