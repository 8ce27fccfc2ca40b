// Everything that must be there before runc is asked to start a container: root, FIFOs,
// specification.

import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ContainerError } from '../api/pod/container-error.ts'
import { readFileIfAny, removeIfAny } from '../lib/files.ts'
import type { Syscalls } from '../lib/linux/syscalls.ts'
import type { ContainerConfig } from './contract.ts'
import type { ContainerRecord } from './record.ts'
import { type Rootfs, readInRoot, removeFolder } from './rootfs.ts'
import type { Sandboxes } from './sandbox.ts'
import { containerSpec, effectiveSecurity, type HostFacts } from './spec/container-spec.ts'
import type { OciSpec } from './spec/oci.ts'

export type PreparationOptions = {
  syscalls: Syscalls
  host: HostFacts
  rootfs: Rootfs
  sandboxes: Sandboxes
  /** Where seccompProfile.localhostProfile is looked up. */
  seccompDir: string
  folder: (id: string) => string
  fifo: (id: string, name: FifoName) => string
  /** Process id of a running container of the same pod. */
  runningPid: (podUid: string, name: string) => number | undefined
}

/** `once` is an input that ends with its first client. */
export type FifoName = 'in' | 'once' | 'out' | 'err'

export const SPEC_FILE = 'config.json'

export class Preparation {
  readonly #options: PreparationOptions

  constructor(options: PreparationOptions) {
    this.#options = options
  }

  /** Makes everything that `ctr run` needs. Resolves with whom the container runs as. */
  async prepare(record: ContainerRecord, config: ContainerConfig, signal: AbortSignal) {
    const { rootfs } = this.#options
    const folder = this.#options.folder(record.id)
    const [root] = await Promise.all([
      rootfs.mount({ id: record.id, folder, chainId: record.chainId }, signal),
      this.#makeFiles(record, config),
      this.#link(record),
    ])
    const spec = await this.#spec(record, config, root)
    await writeFile(join(folder, SPEC_FILE), JSON.stringify(spec), { mode: 0o600 })
    const { uid, gid, additionalGids } = spec.process.user
    return { uid, gid, supplementalGroups: additionalGids }
  }

  async #makeFiles(record: ContainerRecord, config: ContainerConfig): Promise<void> {
    const { syscalls, fifo } = this.#options
    await mkdir(dirname(this.#options.fifo(record.id, 'out')), { recursive: true, mode: 0o700 })
    if (!record.tty) for (const name of ['out', 'err'] as const) make(fifo(record.id, name))
    if (record.stdin && !record.tty) make(fifo(record.id, record.stdinOnce ? 'once' : 'in'))
    // Anybody in the container may report why it ends.
    await mkdir(dirname(config.terminationMessageFile), { recursive: true, mode: 0o755 })
    await writeFile(config.terminationMessageFile, '', { flag: 'a' })
    await chmod(config.terminationMessageFile, 0o666)

    function make(path: string): void {
      syscalls.makeFifo(path, 0o600)
    }
  }

  /** The link that log collectors look for; names the container in its own name. */
  async #link({ linkPath, logPath }: ContainerRecord): Promise<void> {
    if (linkPath === undefined) return
    await mkdir(dirname(linkPath), { recursive: true, mode: 0o755 })
    await symlink(logPath, linkPath)
  }

  async #spec(record: ContainerRecord, config: ContainerConfig, root: string): Promise<OciSpec> {
    const { host, sandboxes, seccompDir } = this.#options
    const profile = effectiveSecurity(config.pod, config.container).seccompProfile
    return containerSpec({
      id: record.id,
      config,
      host,
      rootfs: root,
      sandbox: sandboxes.parts(record.podUid, this.#targetPid(config)),
      userFiles: {
        passwd: await readInRoot(root, '/etc/passwd'),
        group: await readInRoot(root, '/etc/group'),
      },
      localhostSeccomp:
        profile?.type === 'Localhost'
          ? await readSeccomp(seccompDir, profile.localhostProfile ?? '')
          : undefined,
    })
  }

  /** An ephemeral container may share the processes of another one. */
  #targetPid({ pod, container }: ContainerConfig): number | undefined {
    const target = (container as { targetContainerName?: string }).targetContainerName
    if (!target) return undefined
    const pid = this.#options.runningPid(pod.metadata.uid!, target)
    if (pid !== undefined) return pid
    const message = `target container "${target}" is not running`
    throw new ContainerError('CreateContainerError', message)
  }

  /** Takes back what `prepare` has made so far. */
  async discard(record: ContainerRecord): Promise<void> {
    const { folder, fifo, syscalls } = this.#options
    await removeFolder(folder(record.id), syscalls)
    await removeIfAny(dirname(fifo(record.id, 'out')))
    if (record.linkPath !== undefined) await rm(record.linkPath, { force: true })
  }
}

async function readSeccomp(dir: string, name: string) {
  const text = await readFileIfAny(join(dir, name))
  if (text !== undefined) return JSON.parse(text)
  const message = `failed to load seccomp profile "${name}": no such file in ${dir}`
  throw new ContainerError('CreateContainerError', message)
}
