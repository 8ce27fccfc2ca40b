import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFolder, requireFile, requireFolder, tightenFolder } from './folders.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-folders-'))
  await writeFile(join(folder, 'file'), '')
})
afterEach(() => rm(folder, { recursive: true }))

describe('a folder that is required', () => {
  test('need not exist, and nothing is left where it will be', async () => {
    await requireFolder('--data-dir', join(folder, 'a', 'b'))
    await requireFolder('--data-dir', folder)
    expect(await readdir(folder)).toEqual(['file'])
  })

  test('is no file, and not below one', async () => {
    const file = join(folder, 'file')
    for (const path of [file, join(file, 'a', 'b')]) {
      await expect(requireFolder('--data-dir', path)).rejects.toThrow(
        `--data-dir ${path}: ${file} is not a folder: name another place`,
      )
    }
  })

  test('can be written to', async () => {
    await expect(requireFolder('--data-dir', '/proc/kedge')).rejects.toThrow(
      /^--data-dir \/proc\/kedge: cannot write to \/proc \(.+\): run as root, or name another place$/,
    )
  })
})

describe('what is in the data folder', () => {
  const folders = { secret: ['server'], closed: ['agent'] }
  const make = async (path: string, mode: number) => {
    await mkdir(join(folder, path), { recursive: true })
    await chmod(join(folder, path), mode)
  }
  const modeOf = async (path: string) => (await stat(join(folder, path))).mode & 0o777

  test('is for its owner alone, whatever its mode was before', async () => {
    await make('data/server/tls', 0o755)
    await make('data/agent/pods', 0o755)
    for (const path of ['data/server/token', 'data/server/tls/ca.key', 'data/agent/pods/file']) {
      await writeFile(join(folder, path), '')
      await chmod(join(folder, path), 0o664)
    }
    await symlink(join(folder, 'file'), join(folder, 'data/server/link'))
    await chmod(join(folder, 'file'), 0o644)
    for (const path of ['data', 'data/server', 'data/agent']) await chmod(join(folder, path), 0o777)
    await tightenFolder(join(folder, 'data'), folders)
    for (const path of ['data', 'data/server', 'data/server/tls', 'data/agent']) {
      expect([path, await modeOf(path)]).toEqual([path, 0o700])
    }
    for (const path of ['data/server/token', 'data/server/tls/ca.key']) {
      expect([path, await modeOf(path)]).toEqual([path, 0o600])
    }
    // Below the closed folder modes count for containers; a link leads to what is not ours.
    expect(await modeOf('data/agent/pods/file')).toBe(0o664)
    expect(await modeOf('file')).toBe(0o644)
  })

  test('leaves alone a folder that others use as well, and one that is not there', async () => {
    await make('data/others', 0o755)
    await make('data/server', 0o755)
    await chmod(join(folder, 'data'), 0o755)
    await tightenFolder(join(folder, 'data'), folders)
    expect(await modeOf('data')).toBe(0o755)
    expect(await modeOf('data/server')).toBe(0o700)
    expect(await modeOf('data/others')).toBe(0o755)
    await tightenFolder(join(folder, 'none'), folders)
  })
})

test('a file that is required is no folder', async () => {
  await requireFile('--write-kubeconfig', join(folder, 'file'))
  await requireFile('--write-kubeconfig', join(folder, 'new'))
  await expect(requireFile('--write-kubeconfig', folder)).rejects.toThrow(
    'is a folder: name a file',
  )
})

test('a folder is held by one process at a time', async () => {
  await lockFolder('--run-dir', folder)
  await expect(lockFolder('--run-dir', folder)).rejects.toThrow('another kedge runs a node in it')
  await lockFolder('--run-dir', join(folder, 'other'))
})
