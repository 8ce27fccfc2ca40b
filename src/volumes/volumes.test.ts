import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { closeSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPod } from '../../test/support/pod.ts'
import { mountsBelow } from '../lib/linux/mount-table.ts'
import { LinuxPathOpener } from '../lib/linux/path-opener.ts'
import { checkPath, type Payload, writeAtomically } from './atomic-writer.ts'
import { chosen } from './content.ts'
import { prepareHostPath } from './host-path.ts'
import { hostsFile, kernelHostName, parseResolvConf, resolvConfOf } from './pod-files.ts'
import { memoryBytesFor } from './volumes.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-volumes-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('writeAtomically', () => {
  const payload = (files: Record<string, string>): Payload =>
    new Map(Object.entries(files).map(([k, v]) => [k, { bytes: Buffer.from(v), mode: 0o640 }]))
  const options = (suffix: string) => ({ nowMs: Date.UTC(2026, 0, 1), suffix })
  const shown = async (at: string) =>
    (await readdir(at)).filter((name) => !name.startsWith('..')).toSorted()

  test('makes files, folders and modes, all behind one link', async () => {
    const at = await mkdtemp(join(folder, 'a-'))
    expect(await writeAtomically(at, payload({ a: '1', 'sub/b': '2' }), options('1'))).toBe(true)
    expect(await shown(at)).toEqual(['a', 'sub'])
    expect(await readFile(join(at, 'sub/b'), 'utf8')).toBe('2')
    expect((await stat(join(at, 'a'))).mode & 0o777).toBe(0o640)
    expect(readlinkSync(join(at, '..data'))).toBe('..2026_01_01_00_00_00.1')
    expect(readlinkSync(join(at, 'a'))).toBe('..data/a')
  })

  test('writes nothing when nothing differs, and leaves nothing old behind', async () => {
    const at = await mkdtemp(join(folder, 'b-'))
    await writeAtomically(at, payload({ a: '1', b: '1' }), options('1'))
    expect(await writeAtomically(at, payload({ b: '1', a: '1' }), options('2'))).toBe(false)
    expect(await writeAtomically(at, payload({ b: '2', c: '2' }), options('3'))).toBe(true)
    expect((await readdir(at)).toSorted()).toEqual([
      ...['..2026_01_01_00_00_00.3', '..data', 'b', 'c'],
    ])
  })

  test('goes on where a kill left half of a change', async () => {
    const at = await mkdtemp(join(folder, 'c-'))
    await writeAtomically(at, payload({ a: '1' }), options('1'))
    await mkdir(join(at, '..2026_01_01_00_00_00.9'))
    await symlink('..2026_01_01_00_00_00.9', join(at, '..data_tmp'))
    await writeAtomically(at, payload({ a: '2' }), options('2'))
    expect(await readFile(join(at, 'a'), 'utf8')).toBe('2')
  })

  test.each(['', '/a', '../a', 'a/../b', '..a'])('refuses the path %j', (path) => {
    expect(() => checkPath(path)).toThrow('invalid path')
  })
})

describe('the files of a ConfigMap', () => {
  const contents = new Map([
    ['a', Buffer.from('1')],
    ['b', Buffer.from('2')],
  ])

  test('are all its keys, or the chosen ones in their places', () => {
    expect([...chosen(contents, {}).keys()]).toEqual(['a', 'b'])
    const items = [{ key: 'b', path: 'x/y', mode: 0o400 }]
    expect(chosen(contents, { items })).toEqual(
      new Map([['x/y', { bytes: Buffer.from('2'), mode: 0o400 }]]),
    )
  })

  test('may lack a key only where that is optional', () => {
    const items = [{ key: 'none', path: 'x' }]
    expect(() => chosen(contents, { items })).toThrow('references non-existent key: none')
    expect(chosen(contents, { items, optional: true }).size).toBe(0)
  })
})

describe('a hostPath', () => {
  test.each([
    ['Directory', 'is not a directory'],
    ['File', 'is not a file'],
    ['Socket', 'is not a socket file'],
    ['CharDevice', 'is not a character device'],
    ['BlockDevice', 'is not a block device'],
  ])('of type %s must be one', async (type, text) => {
    const path = join(folder, 'nothing')
    expect(prepareHostPath({ path, type })).rejects.toThrow(
      `hostPath type check failed: ${path} ${text}`,
    )
  })

  test('is made where its type says so', async () => {
    const path = join(folder, 'made')
    await prepareHostPath({ path, type: 'DirectoryOrCreate' })
    await prepareHostPath({ path: join(path, 'file'), type: 'FileOrCreate' })
    expect((await stat(join(path, 'file'))).isFile()).toBe(true)
    expect(prepareHostPath({ path, type: 'FileOrCreate' })).rejects.toThrow('is not a file')
  })
})

describe('a sub-path', () => {
  const opener = new LinuxPathOpener()
  const read = async (root: string, path: string) => {
    const fd = opener.openBeneath(root, path, 0o755)
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } finally {
      closeSync(fd)
    }
  }

  test('may follow links inside its volume, and is made where it is missing', async () => {
    const root = await mkdtemp(join(folder, 'v-'))
    await mkdir(join(root, 'real/deep'), { recursive: true })
    await symlink('real', join(root, 'link'))
    expect(await read(root, 'link/deep')).toBe(join(root, 'real/deep'))
    expect(await read(root, 'link/new/er')).toBe(join(root, 'real/new/er'))
    expect(await read(root, '')).toBe(root)
  })

  test('may be a single file', async () => {
    const root = await mkdtemp(join(folder, 'v-'))
    await writeFile(join(root, 'file'), 'x')
    expect(await read(root, 'file')).toBe(join(root, 'file'))
  })

  test('never leads out of its volume', async () => {
    const root = await mkdtemp(join(folder, 'v-'))
    const outside = await mkdtemp(join(folder, 'out-'))
    await symlink(outside, join(root, 'absolute'))
    await symlink('..', join(root, 'upwards'))
    await symlink('/proc/self/root', join(root, 'magic'))
    for (const path of ['absolute', 'absolute/x', 'upwards', 'upwards/x', 'magic/etc']) {
      expect(() => opener.openBeneath(root, path, 0o755)).toThrow('leads out of its volume')
    }
    expect(() => opener.openBeneath(root, '../x', 0o755)).toThrow("must not contain '..'")
    expect(await readdir(outside)).toEqual([])
  })
})

test('mounts are taken away from the inside out, the newest first', () => {
  const line = (point: string) => `36 35 98:0 / ${point} rw,noatime - ext4 /dev/x rw`
  const table = ['/', '/p', '/p/a', '/p/a/b', '/pq', '/p/with\\040blank', '/p/a'].map(line)
  expect(mountsBelow(table.join('\n'), '/p')).toEqual([
    ...['/p/with blank', '/p/a/b', '/p/a', '/p/a', '/p'],
  ])
})

describe('the names of a pod', () => {
  test('stand in its hosts file', () => {
    const hostAliases = [{ ip: '1.2.3.4', hostnames: ['db', 'db.test'] }]
    const pod = aPod({ name: 'web-0', hostname: 'web', subdomain: 'shop', hostAliases })
    expect(hostsFile(pod, ['10.42.0.2'], 'cluster.local')).toBe(
      [
        '# Kubernetes-managed hosts file.',
        '127.0.0.1\tlocalhost',
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::0\tip6-localnet',
        'fe00::0\tip6-mcastprefix',
        'fe00::1\tip6-allnodes',
        'fe00::2\tip6-allrouters',
        '10.42.0.2\tweb.shop.default.svc.cluster.local\tweb',
        '',
        '# Entries added by HostAliases.',
        '1.2.3.4\tdb\tdb.test',
        '',
      ].join('\n'),
    )
  })

  test('are cut where a kernel takes no more', () => {
    const pod = aPod({ name: `${'a'.repeat(62)}-tail` })
    expect(kernelHostName(pod, 'cluster.local', 'node')).toBe('a'.repeat(62))
    expect(kernelHostName(aPod({ hostNetwork: true }), 'cluster.local', 'node')).toBe('node')
  })
})

describe('resolv.conf', () => {
  const settings = { clusterDns: ['10.43.0.10'], clusterDomain: 'cluster.local' }
  const node = 'nameserver 9.9.9.9\nsearch lan. .\noptions ndots:1 edns0\n'
  const of = (wish: Parameters<typeof aPod>[0]) => resolvConfOf(aPod(wish), settings, node)
  const fromNode = { servers: ['9.9.9.9'], searches: ['lan'], options: ['ndots:1', 'edns0'] }
  const fromCluster = {
    servers: ['10.43.0.10'],
    searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
    options: ['ndots:5'],
  }

  test('follows the policy of the pod', () => {
    expect(parseResolvConf(node)).toEqual(fromNode)
    expect(of({})).toEqual(fromCluster)
    expect(of({ hostNetwork: true })).toEqual(fromNode)
    expect(of({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })).toEqual(fromCluster)
    expect(of({ dnsPolicy: 'Default' })).toEqual(fromNode)
    expect(of({ dnsPolicy: 'None' })).toEqual({ servers: [], searches: [], options: [] })
  })

  test('takes what the pod adds, no more than a resolver can hold', () => {
    const dnsConfig = {
      nameservers: ['1.1.1.1', '10.43.0.10', '2.2.2.2', '3.3.3.3'],
      searches: ['corp', 'cluster.local'],
      options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
    }
    expect(of({ dnsConfig })).toEqual({
      servers: ['10.43.0.10', '1.1.1.1', '2.2.2.2'],
      searches: [...fromCluster.searches, 'corp'],
      options: ['ndots:2', 'rotate'],
    })
  })
})

test('a volume in memory is bounded by its own limit, the pod, and the node', () => {
  const bounded = aPod({ containers: [{ name: 'web', resources: { limits: { memory: '64Mi' } } }] })
  expect(memoryBytesFor(bounded, '16Mi', '1Gi')).toBe(16 * 1024 ** 2)
  expect(memoryBytesFor(bounded, undefined, '1Gi')).toBe(64 * 1024 ** 2)
  expect(memoryBytesFor(aPod(), undefined, '1Gi')).toBe(1024 ** 3)
  expect(memoryBytesFor(aPod(), undefined, undefined)).toBeUndefined()
})
