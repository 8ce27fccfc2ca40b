// A path inside a volume, resolved so that no symbolic link can lead out of it.
//
// The kernel resolves it (openat2, RESOLVE_BENEATH) and hands out a descriptor. That descriptor is
// what gets mounted: whatever a container does to the path afterwards does not change what it is.

import { dlopen, read } from 'bun:ffi'
import { chmodSync, chownSync, closeSync, openSync, statSync } from 'node:fs'

/** Opens paths without leaving a folder. */
export interface PathOpener {
  /** A descriptor of `path` below `root`, made as folders where it is missing. Close it. */
  openBeneath(root: string, path: string, made: NewFolder): number
}

/** What a folder that is made looks like, whatever the umask of this process. */
export type NewFolder = {
  readonly mode: number
  /** Left to the kernel when undefined. */
  readonly gid: number | undefined
}

const SYS_OPENAT2 = 437n
const O_PATH = 0o10000000n
const O_CLOEXEC = 0o2000000n
const RESOLVE_NO_MAGICLINKS = 0x02n
const RESOLVE_NO_SYMLINKS = 0x04n
const RESOLVE_BENEATH = 0x08n
const OPEN_HOW_BYTES = 24
const ENOENT = 2
const EEXIST = 17

export class LinuxPathOpener implements PathOpener {
  readonly #libc = dlopen('libc.so.6', {
    syscall: { args: ['i64', 'i64', 'cstring', 'ptr', 'u64'], returns: 'i64' },
    mkdirat: { args: ['i32', 'cstring', 'u32'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  }).symbols

  openBeneath(root: string, path: string, made: NewFolder): number {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.')
    if (parts.includes('..')) throw new Error(`must not contain '..': ${path}`)
    let at = openSync(root, 'r')
    try {
      let depth = parts.length
      // From the longest part that is there already, the rest is made folder by folder.
      for (; depth > 0; depth--) {
        const found = this.#open(at, parts.slice(0, depth).join('/'), RESOLVE_BENEATH)
        if (found === undefined) continue
        closeSync(at)
        at = found
        break
      }
      for (const part of parts.slice(depth)) {
        const isNew = this.#makeFolder(at, part, made.mode)
        const below = this.#open(at, part, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
        if (below === undefined) throw new Error(`${part} vanished while it was made`)
        closeSync(at)
        at = below
        if (isNew) finish(at, made)
      }
      return at
    } catch (error) {
      closeSync(at)
      throw error
    }
  }

  /** Undefined when there is nothing of that name. */
  #open(at: number, path: string, resolve: bigint): number | undefined {
    const how = Buffer.alloc(OPEN_HOW_BYTES)
    how.writeBigUInt64LE(O_PATH | O_CLOEXEC, 0)
    how.writeBigUInt64LE(resolve | RESOLVE_NO_MAGICLINKS, 16)
    const size = BigInt(OPEN_HOW_BYTES)
    const fd = Number(this.#libc.syscall(SYS_OPENAT2, BigInt(at), cstring(path), how, size))
    if (fd >= 0) return fd
    if (this.#errno() === ENOENT) return undefined
    throw new Error(`${path} leads out of its volume or cannot be opened (error ${this.#errno()})`)
  }

  /** False when somebody else has just made it. */
  #makeFolder(at: number, name: string, mode: number): boolean {
    if (this.#libc.mkdirat(at, cstring(name), mode) === 0) return true
    if (this.#errno() === EEXIST) return false
    throw new Error(`cannot make the folder ${name} (error ${this.#errno()})`)
  }

  #errno(): number {
    return read.i32(this.#libc.__errno_location()!, 0)
  }
}

/** By descriptor: the name may stand for something else by now. Group first, it clears bits. */
function finish(fd: number, { mode, gid }: NewFolder): void {
  const path = `/proc/self/fd/${fd}`
  if (gid !== undefined) chownSync(path, statSync(path).uid, gid)
  chmodSync(path, mode)
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}
