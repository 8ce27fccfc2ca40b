// The file system of a container: the image's layers below, a writable folder of its own on top.
//
// containerd unpacks layers once. One snapshot per image, never written to, tells where they lie
// and keeps them from being collected (`ctr snapshots view` would not: its snapshots are collected
// at once). Each container then costs one overlay mount and no call to containerd. Where the
// snapshotter is not overlayfs, containerd prepares a snapshot per container instead.

import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ContainerError } from '../api/pod/container-error.ts'
import { FileTooLarge, isMissing, readTextBounded, removeIfAny } from '../lib/files.ts'
import { MS_BIND, MS_NODEV, MS_RDONLY, MS_REC, type Syscalls } from '../lib/linux/syscalls.ts'
import { own } from '../lib/own.ts'
import { type Ctr, CtrError, parseTable } from './ctr.ts'

export type RootfsOptions = {
  ctr: Ctr
  syscalls: Syscalls
  /** Short names of layers, for images with very many: their paths must fit into one page. */
  linksDir: string
}

type SnapshotMount = { Type: string; Source: string; Options?: string[] | null }

/** mount(2) takes one page of options. */
const OPTIONS_BYTES_MAX = 4000
const KEEPER_PREFIX = 'kedge-layers-'
const SYMLINKS_MAX = 40
/** Parts of a path, those of links included, that are looked at for one file. */
const PATH_PARTS_MAX = 256
/** Of passwd and group: thousands of accounts. */
const USER_FILE_BYTES_MAX = 1024 * 1024
/**
 * Attributes of files in a layer may ask overlayfs to take a file's content or place from
 * elsewhere. Layers come from strangers: we never do, where the kernel knows the words.
 */
const DISTRUST = { redirect_dir: 'redirect_dir=nofollow', metacopy: 'metacopy=off' } as const
const OVERLAY_PARAMETERS = '/sys/module/overlay/parameters'

export class Rootfs {
  readonly #options: RootfsOptions
  /** Layers by chain, top first; undefined where the snapshotter is not overlayfs. */
  readonly #layers = new Map<string, Promise<readonly string[] | undefined>>()
  /** Keys of our snapshots in containerd, one per image; undefined until they are listed. */
  #keepers: Set<string> | undefined

  constructor(options: RootfsOptions) {
    this.#options = options
  }

  /** Mounts a root for container `id` and returns its path: `<folder>/rootfs`. */
  async mount(
    { id, folder, chainId }: { id: string; folder: string; chainId: string },
    signal: AbortSignal,
  ): Promise<string> {
    const target = join(folder, 'rootfs')
    await mkdir(target, { recursive: true, mode: 0o755 })
    const layers = await this.#layersOf(chainId, signal)
    if (layers === undefined) await this.#mountSnapshot(id, chainId, target, signal)
    else await this.#mountOverlay(layers, folder, target)
    return target
  }

  /** Unmounts; what the container wrote stays until its folder is removed. */
  unmount(folder: string): void {
    this.#options.syscalls.unmount(join(folder, 'rootfs'))
  }

  /** Forgets what containerd prepared for this container, if anything. */
  async forget(id: string, chainId: string, signal: AbortSignal): Promise<void> {
    if ((await this.#layersOf(chainId, signal)) !== undefined) return
    await this.#options.ctr.run(['snapshots', 'rm', id], signal).catch(ignoreMissing)
  }

  /** Lets containerd collect the layers of images that are neither here nor in use. */
  async sweep(liveChains: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { ctr } = this.#options
    if (this.#keepers === undefined) {
      const rows = parseTable(await ctr.run(['snapshots', 'ls'], signal))
      this.#keepers = new Set(rows.map((row) => row.KEY ?? '').filter(isKeeper))
    }
    const live = new Set([...liveChains].map(keeperKey))
    for (const key of [...this.#keepers].filter((one) => !live.has(one))) {
      await ctr.run(['snapshots', 'rm', key], signal).catch(ignoreMissing)
      this.#keepers.delete(key)
      this.#layers.delete(chainOfKeeper(key))
    }
  }

  async #layersOf(chainId: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const known = this.#layers.get(chainId)
    if (known !== undefined) return known
    const found = this.#keeper(chainId, signal).then(overlayLayers)
    this.#layers.set(chainId, found)
    // A failure is not remembered; the caller below sees it.
    found.catch(() => this.#layers.delete(chainId))
    return found
  }

  async #keeper(chainId: string, signal: AbortSignal): Promise<SnapshotMount[]> {
    const { ctr } = this.#options
    const key = keeperKey(chainId)
    this.#keepers?.add(key)
    const prepare = () => ctr.run(['snapshots', 'prepare', '--mounts', key, chainId], signal)
    try {
      return JSON.parse(await prepare())
    } catch (error) {
      if (!(error instanceof CtrError && error.alreadyExists)) throw error
    }
    // An earlier run of the agent made it; ctr prints the mounts of an existing one as a command.
    const command = await ctr.run(['snapshots', 'mounts', '/mnt', key], signal)
    return [parseMountCommand(command)]
  }

  async #mountOverlay(layers: readonly string[], folder: string, target: string): Promise<void> {
    const upper = join(folder, 'upper')
    const work = join(folder, 'work')
    await mkdir(upper, { recursive: true, mode: 0o755 })
    await mkdir(work, { recursive: true, mode: 0o711 })
    const known = (await readdir(OVERLAY_PARAMETERS).catch(missing)) ?? []
    const distrust = overlayDistrust(known)
    const options = (lower: readonly string[]) =>
      [`lowerdir=${lower.join(':')}`, `upperdir=${upper}`, `workdir=${work}`, ...distrust].join(',')
    const isLong = options(layers).length > OPTIONS_BYTES_MAX
    const data = options(isLong ? await this.#shortNames(layers) : layers)
    this.#options.syscalls.mount({ source: 'overlay', target, type: 'overlay', flags: 0, data })
  }

  async #shortNames(layers: readonly string[]): Promise<string[]> {
    const { linksDir } = this.#options
    await mkdir(linksDir, { recursive: true, mode: 0o700 })
    return Promise.all(
      layers.map(async (layer) => {
        const link = join(linksDir, createHash('sha256').update(layer).digest('hex').slice(0, 12))
        await symlink(layer, link).catch(async (error) => {
          if ((await readlink(link)) !== layer) throw error
        })
        return link
      }),
    )
  }

  async #mountSnapshot(id: string, chainId: string, target: string, signal: AbortSignal) {
    const { ctr, syscalls } = this.#options
    const mounts: SnapshotMount[] = JSON.parse(
      await ctr.run(['snapshots', 'prepare', '--mounts', id, chainId], signal),
    )
    for (const { Type: type, Source: source, Options: options } of mounts) {
      const { flags, data } = parseOptions(options ?? [])
      syscalls.mount({ source, target, type: type === 'bind' ? '' : type, flags, data })
    }
  }
}

/** Mount options by the parameters that the kernel's overlayfs has. Pure. */
export function overlayDistrust(parameters: readonly string[]): string[] {
  return Object.entries(DISTRUST).flatMap(([name, option]) =>
    parameters.includes(name) ? [option] : [],
  )
}

/** Layers, top first, out of the mounts of a snapshot; undefined when not overlayfs's. Pure. */
export function overlayLayers(mounts: readonly SnapshotMount[]): readonly string[] | undefined {
  const [mount] = mounts
  if (mount === undefined || mounts.length !== 1) return undefined
  if (mount.Type === 'overlay') {
    const lower = mount.Options?.find((option) => option.startsWith('lowerdir='))
    return lower?.slice('lowerdir='.length).split(':')
  }
  return undefined
}

/** `mount -t TYPE SOURCE TARGET -o a,b` back into its parts. Pure. */
export function parseMountCommand(command: string): SnapshotMount {
  const match = /^mount -t (\S+) (\S+) \S+ -o (\S+)/.exec(command.trim())
  if (match === null) throw new Error(`unexpected answer of ctr snapshots mounts: ${command}`)
  return { Type: match[1]!, Source: match[2]!, Options: match[3]!.split(',') }
}

function parseOptions(options: readonly string[]): { flags: number; data: string } {
  const known: Record<string, number> = {
    ro: MS_RDONLY,
    rw: 0,
    bind: MS_BIND,
    rbind: MS_BIND | MS_REC,
    nodev: MS_NODEV,
  }
  const flags = options.reduce((all, option) => all | (own(known, option) ?? 0), 0)
  return { flags, data: options.filter((option) => own(known, option) === undefined).join(',') }
}

function isKeeper(key: string): boolean {
  return key.startsWith(KEEPER_PREFIX)
}

function chainOfKeeper(key: string): string {
  return key.slice(KEEPER_PREFIX.length).replace('-', ':')
}

function keeperKey(chainId: string): string {
  return KEEPER_PREFIX + chainId.replace(':', '-')
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof CtrError && error.isNotFound)) throw error
}

/**
 * Reads a text file inside an unstarted container's root, following links as the container would:
 * an absolute link starts at the root, so that it cannot lead to the host's file. Empty when
 * missing, when it is no file, and when it is hidden behind too many links. Throws ContainerError
 * when it is too large to be what it says.
 */
export async function readInRoot(root: string, path: string): Promise<string> {
  const at = await resolveInRoot(root, path)
  const found = at === undefined ? undefined : await lstat(join(root, at)).catch(missing)
  if (at === undefined || !found?.isFile()) return ''
  try {
    return await readTextBounded(join(root, at), USER_FILE_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof FileTooLarge)) throw error
    const message = `${path} of the image is larger than ${USER_FILE_BYTES_MAX} bytes`
    throw new ContainerError('CreateContainerError', message, { cause: error })
  }
}

/** Where `path` leads to below `root`; undefined for nowhere. */
async function resolveInRoot(root: string, path: string): Promise<string | undefined> {
  let rest = partsOf(path)
  let at = '/'
  let links = 0
  for (let parts = 0; rest.length > 0; parts++) {
    if (parts >= PATH_PARTS_MAX) return undefined
    const [part, ...after] = rest
    rest = after
    if (part === '.') continue
    if (part === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, part!)
    const kind = await lstat(join(root, next)).catch(missing)
    if (kind === undefined) return undefined
    if (!kind.isSymbolicLink()) {
      at = next
      continue
    }
    if (++links > SYMLINKS_MAX) return undefined
    const target = await readlink(join(root, next))
    if (target.startsWith('/')) at = '/'
    rest = [...partsOf(target), ...rest]
    if (rest.length > PATH_PARTS_MAX) return undefined
  }
  return at
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function missing(error: unknown): undefined {
  if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
  throw error
}

/** Removes a container's folder with everything it wrote. */
export async function removeFolder(folder: string, syscalls: Syscalls): Promise<void> {
  syscalls.unmount(join(folder, 'rootfs'))
  await removeIfAny(folder)
}
