// hostPath volumes: a file or folder of the node, checked or made as the pod asks.

import { chmod, mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { HostPathVolumeSource } from '../api/schema/generated/types.ts'
import { isMissing } from '../lib/files.ts'

const KINDS = {
  Directory: { bits: 0o040000, name: 'a directory' },
  File: { bits: 0o100000, name: 'a file' },
  Socket: { bits: 0o140000, name: 'a socket file' },
  CharDevice: { bits: 0o020000, name: 'a character device' },
  BlockDevice: { bits: 0o060000, name: 'a block device' },
} as const

/** Throws with upstream's words when the path is not what `type` says. */
export async function prepareHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  if (type === '') return
  const bits = await kindOf(path)
  if (type === 'DirectoryOrCreate' && bits === undefined) return makeFolder(path)
  if (type === 'FileOrCreate' && bits === undefined) return makeFile(path)
  const kind = KINDS[type.replace('OrCreate', '') as keyof typeof KINDS]
  if (kind === undefined) throw new Error(`${type} is an invalid volume type`)
  if (bits !== kind.bits) throw new Error(`hostPath type check failed: ${path} is not ${kind.name}`)
}

async function kindOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o170000
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 })
  await chmod(path, 0o755)
}

/** Its folder must be there: upstream makes none either. */
async function makeFile(path: string): Promise<void> {
  if ((await kindOf(dirname(path))) === undefined) {
    throw new Error(`open ${path}: no such file or directory`)
  }
  const file = await open(path, 'a', 0o644)
  await file.close()
}
