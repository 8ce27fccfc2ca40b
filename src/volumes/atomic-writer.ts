// A folder whose files all change at one instant.
//
//   volume/key ──► ..data/key        ..data ──► ..2026_11_21_12_00_00.42/key
//
// New contents go into a new dated folder; renaming one symbolic link over `..data` makes them
// valid. A reader that holds an open file keeps the old one; nobody ever sees half of a change.

import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '../lib/files.ts'

export type FileContent = {
  readonly bytes: Uint8Array
  readonly mode: number
  /** Who owns it, when that is not root. */
  readonly uid?: number
}
/** By path inside the volume. */
export type Payload = ReadonlyMap<string, FileContent>

const DATA = '..data'
const FOLDER_MODE = 0o755

/**
 * Makes `folder` hold exactly `payload`. Nothing is written when it does already. `gid` becomes the
 * group of all of it and may read. True when something changed.
 */
export async function writeAtomically(
  folder: string,
  payload: Payload,
  options: { nowMs: number; suffix: string; gid?: number | undefined },
): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path)
  const old = await readlink(join(folder, DATA)).catch(ignoreMissing)
  const before = old === undefined ? new Map() : await readTree(join(folder, old))
  if (old !== undefined && isSame(before, payload)) return false
  const name = datedName(options.nowMs, options.suffix)
  await writePayload(join(folder, name), payload, options.gid)
  await linkData(folder, name)
  await linkNames(folder, payload)
  const kept = new Set([...payload.keys()].map(topOf))
  for (const gone of new Set([...before.keys()].map(topOf))) {
    if (!kept.has(gone)) await rm(join(folder, gone), { recursive: true, force: true })
  }
  if (old !== undefined && old !== name)
    await rm(join(folder, old), { recursive: true, force: true })
  return true
}

/** The bytes of one file as they are now; undefined when there is none. */
export async function readCurrent(folder: string, path: string): Promise<Uint8Array | undefined> {
  return readFile(join(folder, DATA, path)).catch(ignoreMissing)
}

/** Refuses what could leave the folder or look like our own entries. */
export function checkPath(path: string): void {
  if (path === '') throw new Error('invalid path: must not be empty: ""')
  if (path.startsWith('/')) throw new Error(`invalid path: must be relative path: ${path}`)
  if (path.split('/').includes('..'))
    throw new Error(`invalid path: must not contain '..': ${path}`)
  if (path.startsWith('..')) throw new Error(`invalid path: must not start with '..': ${path}`)
}

async function writePayload(folder: string, payload: Payload, gid: number | undefined) {
  await mkdir(folder, { mode: FOLDER_MODE })
  await chmod(folder, FOLDER_MODE)
  const folders = new Set<string>()
  for (const [path, content] of payload) {
    const file = join(folder, path)
    const parent = dirname(file)
    if (parent !== folder && !folders.has(parent)) {
      await mkdir(parent, { recursive: true, mode: FOLDER_MODE })
      folders.add(parent)
    }
    await writeFile(file, content.bytes, { mode: content.mode })
    // The mode of writeFile is cut by the umask.
    await chmod(file, gid === undefined ? content.mode : content.mode | 0o440)
    if (content.uid !== undefined || gid !== undefined) {
      await chown(file, content.uid ?? 0, gid ?? 0)
    }
  }
}

async function linkData(folder: string, name: string): Promise<void> {
  const draft = join(folder, `${DATA}_tmp`)
  await rm(draft, { force: true })
  await symlink(name, draft)
  await rename(draft, join(folder, DATA))
}

async function linkNames(folder: string, payload: Payload): Promise<void> {
  const there = new Set(await readdir(folder))
  for (const top of new Set([...payload.keys()].map(topOf))) {
    if (!there.has(top)) await symlink(join(DATA, top), join(folder, top))
  }
}

async function readTree(folder: string): Promise<Map<string, FileContent>> {
  const files = new Map<string, FileContent>()
  const names = await readdir(folder, { recursive: true }).catch(ignoreMissing)
  for (const name of names ?? []) {
    const path = join(folder, name)
    const { mode, uid } = await stat(path)
    if ((mode & 0o170000) !== 0o100000) continue
    files.set(name, { bytes: await readFile(path), mode: mode & 0o7777, uid })
  }
  return files
}

/** Modes differ by what a group adds, so only the bytes and the names count. */
function isSame(before: ReadonlyMap<string, FileContent>, payload: Payload): boolean {
  if (before.size !== payload.size) return false
  for (const [path, { bytes }] of payload) {
    const known = before.get(path)
    if (known === undefined || Buffer.compare(known.bytes, bytes) !== 0) return false
  }
  return true
}

function topOf(path: string): string {
  return path.split('/')[0]!
}

/** `..2026_11_21_12_00_00.1234`, as upstream names it. */
function datedName(nowMs: number, suffix: string): string {
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_')
  return `..${time}.${suffix}`
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
