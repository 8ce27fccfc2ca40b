// The one process that a pod with shareProcessNamespace needs: number 1 of its process namespace.
//
// It must reap orphans, cost nothing, and give no way out: whoever may trace processes of the pod
// can see its root through /proc/1/root. So it is a container of its own whose root holds a single
// program of some two hundred bytes, written here: ignore SIGCHLD, so that the kernel reaps, and
// sleep.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ctr, CtrError } from './ctr.ts'
import type { OciSpec } from './spec/oci.ts'

export type HolderWish = {
  readonly podUid: string
  /** Folder of the pod below the run folder. */
  readonly folder: string
  readonly cgroupParent: string
  readonly namespaces: { type: string; path: string }[]
  readonly oomScoreAdj: number
  readonly arch: string
}

/** Starts the holder and returns its process id. */
export async function startHolder(
  ctr: Ctr,
  wish: HolderWish,
  signal: AbortSignal,
): Promise<number> {
  const root = join(wish.folder, 'holder')
  for (const dir of ['proc', 'dev']) await mkdir(join(root, dir), { recursive: true })
  await writeFile(join(root, 'pause'), pauseProgram(wish.arch), { mode: 0o555 })
  const spec = join(wish.folder, 'holder.json')
  const pidFile = join(wish.folder, 'holder.pid')
  await writeFile(spec, JSON.stringify(holderSpec(wish, root)))
  const id = holderId(wish.podUid)
  await stopHolder(ctr, wish.podUid, signal)
  const run = ['run', '--detach', '--null-io', '--pid-file', pidFile, '--config', spec, id]
  await ctr.run(run, signal)
  return Number(await readFile(pidFile, 'utf8'))
}

export async function stopHolder(ctr: Ctr, podUid: string, signal: AbortSignal): Promise<void> {
  const id = holderId(podUid)
  const ignoreMissing = (error: unknown) => {
    if (!(error instanceof CtrError && error.isNotFound)) throw error
  }
  await ctr.run(['tasks', 'delete', '--force', id], signal).catch(ignoreMissing)
  await ctr.run(['containers', 'rm', id], signal).catch(ignoreMissing)
}

function holderId(podUid: string): string {
  return `holder-${podUid}`
}

function holderSpec(wish: HolderWish, root: string): OciSpec {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 65535, gid: 65535, additionalGids: [] },
      args: ['/pause'],
      env: [],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [] },
      noNewPrivileges: true,
      oomScoreAdj: wish.oomScoreAdj,
    },
    root: { path: root, readonly: true },
    mounts: [
      {
        destination: '/proc',
        type: 'proc',
        source: 'proc',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=64k'] },
    ],
    linux: {
      cgroupsPath: `/${wish.cgroupParent}/${holderId(wish.podUid)}`,
      namespaces: [{ type: 'mount' }, { type: 'pid' }, ...wish.namespaces],
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      maskedPaths: [],
      readonlyPaths: [],
    },
  }
}

const LOAD_ADDRESS = 0x400000
const HEADER_BYTES = 64 + 56
/** Machine numbers of ELF, by Bun's names. */
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }

/** A static ELF program; throws for processors that it is not written for. */
export function pauseProgram(arch: string): Uint8Array {
  const machine = MACHINES[arch]
  const code = arch === 'x64' ? codeX64() : codeArm64()
  if (machine === undefined) throw new Error(`shareProcessNamespace is not supported on ${arch}`)
  const file = Buffer.alloc(HEADER_BYTES + code.length)
  // ELF header: 64-bit, little endian, executable.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])
  file.writeUInt16LE(2, 16)
  file.writeUInt16LE(machine, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADER_BYTES), 24)
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  // One segment to load, readable and executable: the whole file.
  file.writeUInt32LE(1, 64)
  file.writeUInt32LE(5, 68)
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80)
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x1000n, 112)
  file.set(code, HEADER_BYTES)
  return file
}

/** rt_sigaction(SIGCHLD, {SIG_IGN}, NULL, 8); for (;;) pause(). The action lies behind the code. */
function codeX64(): Uint8Array {
  const code = [
    ...[0xb8, 13, 0, 0, 0], // mov eax, rt_sigaction
    ...[0xbf, 17, 0, 0, 0], // mov edi, SIGCHLD
    ...[0x48, 0x8d, 0x35, 0, 0, 0, 0], // lea rsi, [rip + action]
    ...[0x31, 0xd2], // xor edx, edx
    ...[0x41, 0xba, 8, 0, 0, 0], // mov r10d, 8
    ...[0x0f, 0x05], // syscall
    ...[0xb8, 34, 0, 0, 0], // again: mov eax, pause
    ...[0x0f, 0x05], // syscall
    ...[0xeb, 0xf7], // jmp again
  ]
  const afterLea = 17
  code[13] = code.length - afterLea
  return Buffer.concat([Buffer.from(code), ignoreAction()])
}

function codeArm64(): Uint8Array {
  const words = [
    0xd28010c8, // mov x8, 134 (rt_sigaction)
    0xd2800220, // mov x0, 17 (SIGCHLD)
    0x10000141, // adr x1, action: ten words ahead
    0xd2800002, // mov x2, 0
    0xd2800103, // mov x3, 8
    0xd4000001, // svc 0
    0xd2800928, // again: mov x8, 73 (ppoll)
    0xd2800000, // mov x0, 0
    0xd2800001, // mov x1, 0
    0xd2800002, // mov x2, 0
    0xd4000001, // svc 0
    0x17fffffb, // b again
  ]
  const code = Buffer.alloc(words.length * 4)
  for (const [i, word] of words.entries()) code.writeUInt32LE(word, i * 4)
  return Buffer.concat([code, ignoreAction()])
}

/** struct sigaction of the kernel: handler SIG_IGN (1), no flags, no restorer, no mask. */
function ignoreAction(): Uint8Array {
  const action = Buffer.alloc(32)
  action.writeBigUInt64LE(1n)
  return action
}
