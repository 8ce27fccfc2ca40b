// `kedge images`: what containerd of this node has, and bringing more without a registry.

import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { RawSettings } from '../daemon/config.ts'
import { withImages } from '../daemon/images.ts'
import { UserError } from '../lib/user-error.ts'
import { formatTable, type Output } from './output.ts'

export async function importImages(
  file: string,
  settings: RawSettings,
  config: string | undefined,
  output: Output,
): Promise<void> {
  const path = resolve(file)
  await access(path).catch(() => {
    throw new UserError(`${file}: cannot be read: name an OCI or docker archive`)
  })
  await withImages(settings, config, async (images, signal) => {
    const names = await images.import(path, signal)
    for (const name of names) output.write(`imported ${name}\n`)
  })
}

export async function listImages(
  settings: RawSettings,
  config: string | undefined,
  output: Output,
): Promise<void> {
  await withImages(settings, config, async (images, signal) => {
    const rows = (await images.list(signal)).flatMap(({ id, repoTags, repoDigests, sizeBytes }) => {
      const names = repoTags.length > 0 ? repoTags : repoDigests
      return names.map((name) => [
        name,
        id.replace('sha256:', '').slice(0, 12),
        megabytes(sizeBytes),
      ])
    })
    output.write(formatTable([['IMAGE', 'ID', 'SIZE'], ...rows.toSorted(byName)]))
  })
}

function byName(a: string[], b: string[]): number {
  return a[0]! < b[0]! ? -1 : 1
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
