// Files that are either old or new, never half.

import { constants } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes beside `path`, syncs, and renames over it. Parents are made with mode 0700. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.new`
  const file = await open(draft, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY, mode)
  try {
    await file.chmod(mode)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

/** The text of a file, or undefined when there is none. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** A file is larger than whoever reads it is ready for. */
export class FileTooLarge extends Error {
  override readonly name = 'FileTooLarge'

  constructor(path: string, bytesMax: number) {
    super(`${path} is larger than ${bytesMax} bytes`)
  }
}

/** The text of a regular file that somebody else wrote. Throws `FileTooLarge` beyond `bytesMax`. */
export async function readTextBounded(path: string, bytesMax: number): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const found = await file.stat()
  if (!found.isFile()) throw new Error(`${path} is not a regular file`)
  // The size first: a sparse file costs its owner nothing. It may also grow while it is read.
  if (found.size > bytesMax) throw new FileTooLarge(path, bytesMax)
  const buffer = Buffer.alloc(found.size)
  let at = 0
  while (at < buffer.length) {
    const { bytesRead } = await file.read(buffer, at, buffer.length - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return buffer.toString('utf8', 0, at)
}

/** Removes a file or folder; nothing happens when it is not there. */
export async function removeIfAny(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
