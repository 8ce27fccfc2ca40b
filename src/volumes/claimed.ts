// Volumes of pods that are bound to claims: where each is on this node.
//
//   <pods>/<uid>/claims/<volume>.json   what a claim was bound to, for as long as the pod is here
//   <local>/<name of the volume>        folders of volumes that kedge makes itself
//
// What a claim is bound to never changes while a pod mounts it. It is asked for once, so that pods
// start again with no server in reach.

import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { dnsSubdomainFaults } from '../api/names.ts'
import type {
  HostPathVolumeSource,
  PersistentVolume,
  Pod,
  Volume,
} from '../api/schema/generated/types.ts'
import { isLocalVolume } from '../api/volume/local.ts'
import { isMissing } from '../lib/files.ts'
import { mountsBelow } from '../lib/linux/mount-table.ts'
import type { ClaimReader } from './contract.ts'
import { prepareHostPath } from './host-path.ts'

export type ClaimedDeps = {
  readonly claims: ClaimReader
  readonly mountinfo: () => Promise<string>
  readonly pods: string
  readonly local: string
}

/** Where a claimed volume is: `made` when the folder is kedge's own to make. */
export type Claimed = HostPathVolumeSource & { readonly source: 'hostPath' | 'local' | 'made' }

/** A volume cannot be removed while a pod of this node has it. */
export class VolumeInUse extends Error {
  override readonly name = 'VolumeInUse'
}

const OPEN_MODE = 0o777
const GROUP_MODE = 0o2070
const CLAIMS = 'claims'

export class ClaimedVolumes {
  readonly #deps: ClaimedDeps

  constructor(deps: ClaimedDeps) {
    this.#deps = deps
  }

  /** Makes sure that the volume is there, and open to the pod's group. */
  async prepare(pod: Pod, volume: Volume, signal: AbortSignal): Promise<void> {
    const known = await this.recorded(pod, volume)
    const claimed = known ?? (await this.#ask(pod, volume, signal))
    await prepareClaimed(claimed)
    if (known !== undefined) return
    const gid = pod.spec.securityContext?.fsGroup
    if (gid !== undefined && claimed.source !== 'hostPath') await openTo(claimed.path, gid)
    await this.#record(pod, volume, claimed)
  }

  /** Where it was found to be; undefined before it was prepared. */
  async recorded(pod: Pod, volume: Volume): Promise<Claimed | undefined> {
    try {
      return JSON.parse(await readFile(this.#recordOf(pod, volume), 'utf8')) as Claimed
    } catch (error) {
      // A record that was cut off by a power cut is none.
      if (isMissing(error) || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** Removes the folder of a volume that kedge made; it is no error when there is none. */
  async remove(name: string): Promise<void> {
    if (dnsSubdomainFaults(name).length > 0) throw new Error(`${name} is no name of a volume`)
    const folder = join(this.#deps.local, name)
    for (const uid of await namesIn(this.#deps.pods)) {
      for (const record of await namesIn(join(this.#deps.pods, uid, CLAIMS))) {
        const text = await readFile(join(this.#deps.pods, uid, CLAIMS, record), 'utf8')
        if (text.includes(JSON.stringify(folder))) {
          throw new VolumeInUse(`volume ${name} is used by pod ${uid}`)
        }
      }
    }
    // Behind a mount are other people's files.
    const [mounted] = mountsBelow(await this.#deps.mountinfo(), folder)
    if (mounted !== undefined) throw new VolumeInUse(`volume ${name}: ${mounted} is mounted`)
    await rm(folder, { recursive: true, force: true })
  }

  async #ask(pod: Pod, volume: Volume, signal: AbortSignal): Promise<Claimed> {
    const found = await this.#deps.claims.volumeOf(pod, volume, signal)
    const claimed = claimedOf(found)
    const isBelow = dirname(claimed.path) === this.#deps.local
    return isLocalVolume(found) && isBelow ? { ...claimed, source: 'made' } : claimed
  }

  async #record(pod: Pod, volume: Volume, claimed: Claimed): Promise<void> {
    const path = this.#recordOf(pod, volume)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(path, JSON.stringify(claimed), { mode: 0o600 })
  }

  #recordOf(pod: Pod, volume: Volume): string {
    return join(this.#deps.pods, pod.metadata.uid!, CLAIMS, `${volume.name}.json`)
  }
}

/** Throws for what a node of kedge cannot mount. */
function claimedOf({ spec }: PersistentVolume): Claimed {
  if (spec.volumeMode === 'Block') throw new Error('volumes of mode Block are not supported')
  if (spec.hostPath) return { ...spec.hostPath, source: 'hostPath' }
  if (spec.local) return { path: spec.local.path, source: 'local' }
  const words = ['capacity', 'accessModes', 'claimRef', 'nodeAffinity', 'mountOptions']
  const type = Object.entries(spec).find(
    ([key, value]) => typeof value === 'object' && !words.includes(key),
  )
  throw new Error(`volumes of type ${type?.[0] ?? 'nothing'} are not supported`)
}

async function prepareClaimed(claimed: Claimed): Promise<void> {
  const { path, source } = claimed
  if (source === 'hostPath') return prepareHostPath(claimed)
  if (await exists(path)) return
  if (source === 'local') throw new Error(`path ${JSON.stringify(path)} does not exist`)
  await mkdir(path, { recursive: true, mode: 0o700 })
  // mkdir asks the umask.
  await chmod(path, OPEN_MODE)
}

/** What is made inside belongs to the group from now on. */
async function openTo(path: string, gid: number): Promise<void> {
  const { uid, mode } = await stat(path)
  await chown(path, uid, gid)
  await chmod(path, (mode & 0o7777) | GROUP_MODE)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
