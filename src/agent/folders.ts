// Where the agent keeps what: everything below its own data folder.

import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mountsBelow } from '../lib/linux/mount-table.ts'
import { MS_NODEV, MS_NOSUID, type Syscalls } from '../lib/linux/syscalls.ts'
import type { NodeSettings } from './settings.ts'

/**
 * `memory` is a tmpfs: Secrets and tokens lie there and never reach the disk. `volumes` holds those
 * that outlive their pods.
 */
export type Folder = 'state' | 'pods' | 'memory' | 'volumes'

export function folderOf({ dataFolder }: Pick<NodeSettings, 'dataFolder'>, folder: Folder): string {
  return join(dataFolder, folder)
}

/** A bound, so that Secrets cannot eat the memory of the pods. */
const MEMORY_SHARE = '20%'

/** Makes the folders; mounts the one for secrets unless it is there from before. */
export async function openFolders(
  deps: {
    readonly syscalls: Pick<Syscalls, 'mount'>
    readonly mountinfo: () => Promise<string>
  },
  settings: Pick<NodeSettings, 'dataFolder'>,
): Promise<void> {
  const target = folderOf(settings, 'memory')
  const pods = folderOf(settings, 'pods')
  const volumes = folderOf(settings, 'volumes')
  const folders = [settings.dataFolder, pods, target, volumes]
  for (const folder of folders) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  if (!mountsBelow(await deps.mountinfo(), target).includes(target)) {
    const data = `size=${MEMORY_SHARE},mode=0700`
    const flags = MS_NOSUID | MS_NODEV
    deps.syscalls.mount({ source: 'tmpfs', target, type: 'tmpfs', flags, data })
  }
  // Pods reach their files through mounts, never through these folders; users of the node must
  // not. Those of an older version may be there, and open.
  for (const folder of folders) await chmod(folder, 0o700)
}
