// Whether files can be written to a place, without leaving anything there.

import { constants } from 'node:fs'
import { access, chmod, lstat, mkdtemp, readdir, rmdir, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { isMissing } from '../lib/files.ts'
import { UserError } from '../lib/user-error.ts'

const MEND = 'run as root, or name another place'
/** Enough to begin with; whoever has begun is served also when less is left. */
const FREE_MIB_MIN = 8

/** Throws UserError when files could not be written below `path`, which need not exist yet. */
export async function requireFolder(option: string, path: string): Promise<void> {
  const where = `${option} ${path}`
  const nearest = await nearestExisting(where, path)
  if (!nearest.isFolder) {
    throw new UserError(`${where}: ${nearest.path} is not a folder: name another place`)
  }
  try {
    await access(nearest.path, constants.W_OK | constants.X_OK)
    // Some file systems let root write and yet take nothing new: only a trial tells.
    if (nearest.path !== path) await rmdir(await mkdtemp(join(nearest.path, '.kedge-')))
  } catch (error) {
    const why = reasonOf(error)
    throw new UserError(`${where}: cannot write to ${nearest.path} (${why}): ${MEND}`)
  }
}

/** Throws UserError when a folder that is yet to be made would lie on a disk that is full. */
export async function requireSpace(option: string, path: string): Promise<void> {
  const nearest = await nearestExisting(`${option} ${path}`, path)
  if (nearest.path === path) return
  const { bavail, bsize } = await statfs(nearest.path)
  const free = Math.floor((bavail * bsize) / 2 ** 20)
  if (free >= FREE_MIB_MIN) return
  throw new UserError(
    `${option} ${path}: only ${free} MiB are free there: free some space, or name another place`,
  )
}

/** As requireFolder, for a file that will be written. */
export async function requireFile(option: string, path: string): Promise<void> {
  const found = await nearestExisting(`${option} ${path}`, path)
  if (found.path === path && found.isFolder) {
    throw new UserError(`${option} ${path}: is a folder: name a file`)
  }
  await requireFolder(option, dirname(path))
}

/**
 * Takes from everybody but the owner what lies in `root`, in its folders `secret` with all that is
 * in them, and in its folders `closed`. `root` itself only when nothing of others is in it.
 */
export async function tightenFolder(
  root: string,
  { secret, closed }: { secret: readonly string[]; closed: readonly string[] },
): Promise<void> {
  const names = await readdir(root).catch(() => [])
  const isOurs = names.every((name) => secret.includes(name) || closed.includes(name))
  if (names.length > 0 && isOurs) await tighten(root)
  for (const name of names) {
    if (!secret.includes(name) && !closed.includes(name)) continue
    await tighten(join(root, name))
    if (!secret.includes(name)) continue
    for (const below of await readdir(join(root, name), { recursive: true })) {
      await tighten(join(root, name, below))
    }
  }
}

/** Follows no links: what they lead to is somebody else's. */
async function tighten(path: string): Promise<void> {
  try {
    const { mode } = await lstat(path)
    const isOpen = (mode & 0o077) !== 0 && (mode & constants.S_IFMT) !== constants.S_IFLNK
    if (isOpen) await chmod(path, mode & 0o700)
  } catch (error) {
    // A file of the data store may go away while we look.
    if (!isMissing(error)) throw error
  }
}

/**
 * Two nodes in one folder would end each other's pods. The lock is a name of the operating system's
 * (an abstract socket), so that it leaves no file and goes away with this process, however it ends.
 */
export function lockFolder(option: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const holder = createServer()
    holder.once('error', () => {
      const why = 'another kedge runs a node in it'
      reject(new UserError(`${option} ${path}: ${why}: stop it, or give another folder`))
    })
    holder.listen(`\0kedge:${path}`, resolve)
  })
}

async function nearestExisting(where: string, path: string) {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, isFolder: (await stat(at)).isDirectory() }
    } catch (error) {
      // Below a file nothing exists either; the file itself is found further up.
      const isBelowFile = error instanceof Error && 'code' in error && error.code === 'ENOTDIR'
      if (isMissing(error) || isBelowFile) continue
      throw new UserError(`${where}: cannot look at ${at} (${reasonOf(error)}): ${MEND}`)
    }
  }
}

/** `permission denied`, `read-only file system`. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /^E[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? message
}
