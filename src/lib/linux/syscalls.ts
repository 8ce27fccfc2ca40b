// The few system calls that neither Bun nor a cheap command offers: mounts, FIFOs, namespaces.
//
// Entering a namespace changes only the calling thread, so `inNetns` runs its work synchronously
// on the main thread and goes back before anything else can run on it. Not being able to go back
// would leave the whole agent in a pod's network: that ends the process.

import { dlopen, read } from 'bun:ffi'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { AssertionError } from '../assert.ts'

export type Mount = {
  readonly source: string
  readonly target: string
  readonly type: string
  readonly flags: number
  readonly data?: string
}

export type NamespaceKind = 'net' | 'ipc' | 'uts'

export interface Syscalls {
  /** Throws `SyscallError`. */
  mount(mount: Mount): void
  /** Detaches lazily. False when nothing was mounted there. */
  unmount(target: string): boolean
  /** Throws `SyscallError`, also when the file exists. */
  makeFifo(path: string, mode: number): void
  /**
   * Makes new namespaces, runs `prepare` inside them, and keeps them alive by bind mounts over the
   * (existing, empty) files. With `net` the loopback interface comes up; with `uts` `hostname` is
   * set.
   */
  makeNamespaces(
    files: Partial<Record<NamespaceKind, string>>,
    hostname: string,
    prepare: () => void,
  ): void
  /** Runs synchronous work with this thread inside the network namespace bound at `path`. */
  inNetns<T>(path: string, work: () => T): T
  /** True when `path` is a bind-mounted namespace, not merely a file. */
  isNamespace(path: string): boolean
}

export class SyscallError extends Error {
  override readonly name = 'SyscallError'
  readonly errno: number
  constructor(call: string, errno: number) {
    super(`${call}: ${ERRNO_TEXT[errno] ?? `error ${errno}`}`)
    this.errno = errno
  }
}

// From linux/mount.h and linux/sched.h.
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_BIND = 4096
export const MS_REC = 16384
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8
const CLONE_NEW = { net: 0x40000000, ipc: 0x08000000, uts: 0x04000000 } as const

// From asm-generic/ioctls and linux/if.h.
const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1
const IFREQ_BYTES = 40
const IFREQ_FLAGS_AT = 16

/** nsfs, from linux/magic.h: what a bind-mounted namespace is on. */
const NSFS_FIELD = ' - nsfs '

const ERRNO_TEXT: Record<number, string> = {
  1: 'operation not permitted',
  2: 'no such file or directory',
  12: 'cannot allocate memory',
  13: 'permission denied',
  16: 'device or resource busy',
  17: 'file exists',
  19: 'no such device',
  20: 'not a directory',
  22: 'invalid argument',
  24: 'too many open files',
  28: 'no space left on device',
  30: 'read-only file system',
  40: 'too many levels of symbolic links',
}

function openLibrary() {
  const text = 'cstring'
  return dlopen('libc.so.6', {
    mount: { args: [text, text, text, 'u64', text], returns: 'i32' },
    umount2: { args: [text, 'i32'], returns: 'i32' },
    mkfifo: { args: [text, 'u32'], returns: 'i32' },
    unshare: { args: ['i32'], returns: 'i32' },
    setns: { args: ['i32', 'i32'], returns: 'i32' },
    sethostname: { args: [text, 'u64'], returns: 'i32' },
    socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
    ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  }).symbols
}

/** The real thing, through libc. Needs root. */
export class LinuxSyscalls implements Syscalls {
  readonly #libc = openLibrary()

  mount({ source, target, type, flags, data = '' }: Mount): void {
    const args = [cstring(source), cstring(target), cstring(type)] as const
    const result = this.#libc.mount(...args, BigInt(flags), cstring(data))
    this.#check(result, `mount ${type || source} at ${target}`)
  }

  unmount(target: string): boolean {
    return this.#libc.umount2(cstring(target), MNT_DETACH | UMOUNT_NOFOLLOW) === 0
  }

  makeFifo(path: string, mode: number): void {
    this.#check(this.#libc.mkfifo(cstring(path), mode), `mkfifo ${path}`)
  }

  makeNamespaces(
    files: Partial<Record<NamespaceKind, string>>,
    hostname: string,
    prepare: () => void,
  ): void {
    const kinds = (['net', 'ipc', 'uts'] as const).filter((kind) => files[kind] !== undefined)
    const flags = kinds.reduce((all, kind) => all | CLONE_NEW[kind], 0)
    this.#andBack(kinds, () => {
      this.#check(this.#libc.unshare(flags), 'unshare')
      if (files.uts !== undefined) this.#setHostname(hostname)
      if (files.net !== undefined) this.#loopbackUp()
      prepare()
      for (const kind of kinds) {
        const source = `/proc/thread-self/ns/${kind}`
        this.mount({ source, target: files[kind]!, type: '', flags: MS_BIND })
      }
    })
  }

  inNetns<T>(path: string, work: () => T): T {
    const target = openSync(path, 'r')
    try {
      return this.#andBack(['net'], () => {
        this.#check(this.#libc.setns(target, CLONE_NEW.net), `setns ${path}`)
        return work()
      })
    } finally {
      closeSync(target)
    }
  }

  isNamespace(path: string): boolean {
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((text) => text.includes(` ${path} `))
    return line?.includes(NSFS_FIELD) ?? false
  }

  /** Runs `work`, whatever namespaces it enters, and returns to the ones we came from. */
  #andBack<T>(kinds: readonly NamespaceKind[], work: () => T): T {
    const own = kinds.map((kind) => openSync(`/proc/thread-self/ns/${kind}`, 'r'))
    const outcome = attempt(work)
    for (const fd of own) {
      if (this.#libc.setns(fd, 0) !== 0) throw new AssertionError('cannot leave a namespace')
      closeSync(fd)
    }
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  #setHostname(hostname: string): void {
    const bytes = cstring(hostname)
    this.#check(this.#libc.sethostname(bytes, BigInt(bytes.length - 1)), 'sethostname')
  }

  #loopbackUp(): void {
    const socket = this.#libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
    this.#check(socket, 'socket')
    try {
      const request = Buffer.alloc(IFREQ_BYTES)
      request.write('lo\0')
      this.#check(this.#libc.ioctl(socket, BigInt(SIOCGIFFLAGS), request), 'read flags of lo')
      request.writeUInt16LE(request.readUInt16LE(IFREQ_FLAGS_AT) | IFF_UP, IFREQ_FLAGS_AT)
      this.#check(this.#libc.ioctl(socket, BigInt(SIOCSIFFLAGS), request), 'set flags of lo')
    } finally {
      closeSync(socket)
    }
  }

  #check(result: number, call: string): void {
    if (result < 0) throw new SyscallError(call, read.i32(this.#libc.__errno_location()!, 0))
  }
}

function attempt<T>(work: () => T): { value: T } | { error: unknown } {
  try {
    return { value: work() }
  } catch (error) {
    return { error }
  }
}

function cstring(value: string): Buffer {
  if (value.includes('\0')) throw new Error('a path may not hold NUL')
  return Buffer.from(`${value}\0`)
}
