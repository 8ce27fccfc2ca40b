import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFolder, requireFile, requireFolder } from './folders.ts'

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
