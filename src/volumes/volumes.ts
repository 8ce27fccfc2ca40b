// The volumes of one pod on this node: made, kept up to date, taken away.
//
//   <pods>/<uid>/volumes/<name>     emptyDir, ConfigMaps            (disk; tmpfs for medium Memory)
//   <memory>/<uid>/<name>           Secrets, tokens, projections    (one tmpfs for the whole node)
//   elsewhere                       hostPath; what claims are bound to: claimed.ts
//   <pods>/<uid>/subpaths/<container>/<n>   what a subPath resolved to, bound by descriptor
//
// Everything may be called again at any time: what is right already stays untouched.

import { closeSync, fstatSync } from 'node:fs'
import { chmod, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ContainerError } from '../api/pod/container-error.ts'
import { expandAll } from '../api/pod/expand.ts'
import { podLimits } from '../api/pod/resources.ts'
import { parseQuantity, wholeUnits } from '../api/quantity.ts'
import type { Container, Pod, Volume, VolumeMount } from '../api/schema/generated/types.ts'
import type { Clock } from '../lib/clock.ts'
import { isMissing } from '../lib/files.ts'
import { mountsBelow } from '../lib/linux/mount-table.ts'
import type { PathOpener } from '../lib/linux/path-opener.ts'
import { MS_BIND, MS_NODEV, MS_NOSUID, type Syscalls } from '../lib/linux/syscalls.ts'
import type { Random } from '../lib/random.ts'
import { readCurrent, writeAtomically } from './atomic-writer.ts'
import { ClaimedVolumes } from './claimed.ts'
import { type ContentView, payloadOf } from './content.ts'
import type { ClaimReader, MountConfig } from './contract.ts'
import { prepareHostPath } from './host-path.ts'

export type VolumeDeps = {
  readonly clock: Clock
  readonly random: Random
  readonly syscalls: Pick<Syscalls, 'mount' | 'unmount'>
  readonly opener: PathOpener
  /** Text of /proc/self/mountinfo. */
  readonly mountinfo: () => Promise<string>
  /** Folder for what pods keep on disk. */
  readonly pods: string
  /** Folder on a tmpfs, for what must never reach the disk. */
  readonly memory: string
  /** Folder for volumes that outlive their pods, a folder each. */
  readonly local: string
  readonly claims: ClaimReader
}

const OPEN_MODE = 0o777
const SETGID = 0o2000

export class PodVolumes {
  readonly #deps: VolumeDeps
  readonly #claimed: ClaimedVolumes

  constructor(deps: VolumeDeps) {
    this.#deps = deps
    this.#claimed = new ClaimedVolumes(deps)
  }

  /** Makes all volumes of a pod, or makes them hold what they should by now. */
  async prepare(view: ContentView, signal: AbortSignal): Promise<void> {
    const { pod } = view
    await mkdir(join(this.#podFolder(pod), 'volumes'), { recursive: true, mode: 0o750 })
    await Promise.all(
      (pod.spec.volumes ?? []).map((volume) =>
        this.#prepareOne(view, volume, signal).catch((error: unknown) => {
          signal.throwIfAborted()
          const why = error instanceof Error ? error.message : String(error)
          const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${why}`
          throw new ContainerError('FailedMount', message)
        }),
      ),
    )
  }

  /** Unmounts and removes all of a pod's folders; its containers must have ended. */
  async remove(podUid: string): Promise<void> {
    const folder = join(this.#deps.pods, podUid)
    const mounted = async () => mountsBelow(await this.#deps.mountinfo(), folder)
    for (const point of await mounted()) this.#deps.syscalls.unmount(point)
    // Never remove through a mount that is still there: behind it are other people's files.
    const left = await mounted()
    if (left.length > 0) throw new Error(`unmount ${left[0]}: still mounted`)
    await rm(join(this.#deps.memory, podUid), { recursive: true, force: true })
    await rm(folder, { recursive: true, force: true })
  }

  /** Removes the folder of a volume that outlived its pods; throws VolumeInUse for one in use. */
  removeLocal(name: string): Promise<void> {
    return this.#claimed.remove(name)
  }

  /** The text of one file of a volume as it is now. */
  async currentText(pod: Pod, volume: string, path: string): Promise<string | undefined> {
    const spec = pod.spec.volumes?.find(({ name }) => name === volume)
    if (spec === undefined) return undefined
    const bytes = await readCurrent(this.#folderOf(pod, spec), path)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString()
  }

  /** What to mount into a container for its volumeMounts. Throws ContainerError. */
  async mountsOf(
    pod: Pod,
    container: Container,
    env: ReadonlyMap<string, string>,
  ): Promise<MountConfig[]> {
    const mounts: MountConfig[] = []
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const volume = pod.spec.volumes?.find(({ name }) => name === mount.name)
      if (volume === undefined) {
        const message = `cannot find volume "${mount.name}" to mount into container`
        throw new ContainerError('CreateContainerConfigError', `${message} "${container.name}"`)
      }
      mounts.push({
        hostPath: await this.#sourceOf(pod, container, volume, mount, index, env),
        containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
        readOnly: (mount.readOnly ?? false) || isReadOnly(volume),
        propagation: propagationOf(mount),
      })
    }
    return mounts
  }

  /** A fresh file for a container's last words. */
  async terminationFile(pod: Pod, container: string, attempt: number): Promise<string> {
    const path = this.terminationPath(pod, container, attempt)
    await mkdir(dirname(path), { recursive: true, mode: 0o750 })
    await writeFile(path, '')
    await chmod(path, 0o666)
    return path
  }

  terminationPath(pod: Pod, container: string, attempt: number): string {
    return join(this.#podFolder(pod), 'containers', container, String(attempt))
  }

  /** Writes a file that all containers of the pod share. */
  async sharedFile(pod: Pod, name: string, content: string): Promise<string> {
    const path = join(this.#podFolder(pod), name)
    await mkdir(dirname(path), { recursive: true, mode: 0o750 })
    await writeFile(path, content, { mode: 0o644 })
    return path
  }

  #podFolder(pod: Pod): string {
    return join(this.#deps.pods, pod.metadata.uid!)
  }

  #folderOf(pod: Pod, volume: Volume): string {
    if (volume.hostPath) return volume.hostPath.path
    const { uid } = pod.metadata
    const isSecret = volume.secret ?? volume.projected ?? volume.downwardAPI
    return isSecret
      ? join(this.#deps.memory, uid!, volume.name)
      : join(this.#podFolder(pod), 'volumes', volume.name)
  }

  async #prepareOne(view: ContentView, volume: Volume, signal: AbortSignal): Promise<void> {
    if (volume.hostPath) return prepareHostPath(volume.hostPath)
    if (volume.emptyDir) return this.#prepareEmptyDir(view, volume)
    if (isClaimed(volume)) return this.#claimed.prepare(view.pod, volume, signal)
    const payload = await payloadOf(view, volume, signal)
    if (payload === undefined) {
      const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'nothing'
      throw new Error(`volumes of type ${kind} are not supported`)
    }
    const folder = this.#folderOf(view.pod, volume)
    // The volume is open to all users of the pod; the way to it is not open to those of the node.
    await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
    await mkdir(folder, { recursive: true })
    const gid = view.pod.spec.securityContext?.fsGroup
    await open(folder, gid)
    const nowMs = this.#deps.clock.nowMs()
    const suffix = String(Math.floor(this.#deps.random.next() * 1e9))
    await writeAtomically(folder, payload, { nowMs, suffix, gid })
  }

  async #prepareEmptyDir({ pod, allocatable }: ContentView, volume: Volume): Promise<void> {
    const folder = this.#folderOf(pod, volume)
    const { medium = '', sizeLimit } = volume.emptyDir!
    if (medium !== '' && medium !== 'Memory') {
      throw new Error(`emptyDir volumes with medium ${medium} are not supported`)
    }
    const isNew = await makeFolder(folder)
    if (medium === 'Memory') {
      const isMounted = mountsBelow(await this.#deps.mountinfo(), folder).includes(folder)
      if (isMounted) return
      const bytes = memoryBytesFor(pod, sizeLimit, allocatable.memory)
      const data = `mode=0777${bytes === undefined ? '' : `,size=${bytes}`}`
      const flags = MS_NOSUID | MS_NODEV
      this.#deps.syscalls.mount({ source: 'tmpfs', target: folder, type: 'tmpfs', flags, data })
    } else if (!isNew) return
    await open(folder, pod.spec.securityContext?.fsGroup)
  }

  async #sourceOf(
    pod: Pod,
    container: Container,
    volume: Volume,
    mount: VolumeMount,
    index: number,
    env: ReadonlyMap<string, string>,
  ): Promise<string> {
    const hostPath = volume.hostPath ?? (await this.#claimedPath(pod, volume))
    const folder = hostPath?.path ?? this.#folderOf(pod, volume)
    // As the runtimes do it: a path of the node that is not there becomes a folder.
    if (hostPath && !hostPath.type) await makeFolder(folder)
    const path = subPathOf(mount, container, env)
    if (path === '') return folder
    const target = join(this.#podFolder(pod), 'subpaths', container.name, String(index))
    try {
      await this.#bindBeneath(folder, path, target)
    } catch (error) {
      const message = `failed to prepare subPath for volumeMount "${mount.name}" of container`
      throw new ContainerError('CreateContainerConfigError', `${message} "${container.name}"`, {
        cause: error,
      })
    }
    return target
  }

  async #claimedPath(pod: Pod, volume: Volume) {
    if (!isClaimed(volume)) return undefined
    const claimed = await this.#claimed.recorded(pod, volume)
    if (claimed !== undefined) return claimed
    const message = `volume "${volume.name}" was not prepared`
    throw new ContainerError('CreateContainerConfigError', message)
  }

  async #bindBeneath(root: string, path: string, target: string): Promise<void> {
    const { mode, gid } = await stat(root)
    // As the volume itself; what its group is for, so is what is made in it.
    const made = { mode: mode & 0o7777, gid: mode & SETGID ? gid : undefined }
    const fd = this.#deps.opener.openBeneath(root, path, made)
    try {
      const isFolder = fstatSync(fd).isDirectory()
      // Of an earlier attempt; the container it belonged to has ended.
      while (this.#deps.syscalls.unmount(target));
      await rm(target, { recursive: true, force: true })
      await mkdir(isFolder ? target : dirname(target), { recursive: true, mode: 0o750 })
      if (!isFolder) await writeFile(target, '')
      const source = `/proc/self/fd/${fd}`
      this.#deps.syscalls.mount({ source, target, type: '', flags: MS_BIND })
    } finally {
      closeSync(fd)
    }
  }
}

/** Throws ContainerError when the path names a variable that there is not. */
function subPathOf(
  { name, subPath = '', subPathExpr = '' }: VolumeMount,
  container: Container,
  env: ReadonlyMap<string, string>,
): string {
  if (subPathExpr === '') return subPath
  const refuse = (why: string) => {
    const message = `failed to ${why} for volumeMount "${name}" of container "${container.name}"`
    return new ContainerError('CreateContainerConfigError', message)
  }
  let path: string
  try {
    path = expandAll(subPathExpr, (key) => env.get(key))
  } catch {
    // The error says which variable; upstream's message does not.
    throw refuse('expand subPath')
  }
  if (path.startsWith('/')) {
    throw new ContainerError(
      'CreateContainerConfigError',
      `error SubPath \`${path}\` must not be an absolute path`,
    )
  }
  if (path.split('/').includes('..')) {
    throw new ContainerError(
      'CreateContainerConfigError',
      `unable to provision SubPath \`${path}\`: must not contain '..'`,
    )
  }
  return path
}

/** True when it was not there. */
async function makeFolder(folder: string): Promise<boolean> {
  try {
    await stat(folder)
    return false
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(folder, { recursive: true, mode: 0o755 })
    return true
  }
}

/** Everybody may use it; with `gid` what is made inside belongs to that group. */
async function open(folder: string, gid: number | undefined): Promise<void> {
  if (gid !== undefined) await chown(folder, 0, gid)
  await chmod(folder, gid === undefined ? OPEN_MODE : OPEN_MODE | SETGID)
}

/** The smallest of the wish, the pod's memory limit and what the node has. */
export function memoryBytesFor(
  pod: Pod,
  sizeLimit: string | undefined,
  allocatable: string | undefined,
): number | undefined {
  const isBounded = pod.spec.containers.every(({ resources }) => resources?.limits?.memory)
  const limits = [
    sizeLimit === '0' ? undefined : sizeLimit,
    isBounded ? podLimits(pod).memory : undefined,
    allocatable,
  ]
  const bytes = limits.flatMap((text) => (text ? [wholeUnits(parseQuantity(text))] : []))
  return bytes.length === 0 ? undefined : Math.min(...bytes)
}

function isReadOnly({ configMap, secret, projected, downwardAPI, ...volume }: Volume): boolean {
  if (volume.persistentVolumeClaim?.readOnly) return true
  return (configMap ?? secret ?? projected ?? downwardAPI) !== undefined
}

function isClaimed({ persistentVolumeClaim, ephemeral }: Volume): boolean {
  return (persistentVolumeClaim ?? ephemeral) !== undefined
}

function propagationOf({ mountPropagation }: VolumeMount): MountConfig['propagation'] {
  switch (mountPropagation) {
    case 'HostToContainer':
      return 'rslave'
    case 'Bidirectional':
      return 'rshared'
    default:
      return 'private'
  }
}
