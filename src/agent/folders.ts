// Where the agent keeps what: everything below its own data folder.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mountsBelow } from '../lib/linux/mount-table.ts'
import { MS_NODEV, MS_NOSUID, type Syscalls } from '../lib/linux/syscalls.ts'
import type { NodeSettings } from './settings.ts'

/** `memory` is a tmpfs: Secrets and tokens lie there and never reach the disk. */
export type Folder = 'state' | 'pods' | 'memory'

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
  // Pods run as any user: they must be able to pass through.
  await mkdir(folderOf(settings, 'pods'), { recursive: true, mode: 0o755 })
  await mkdir(target, { recursive: true, mode: 0o755 })
  if (mountsBelow(await deps.mountinfo(), target).includes(target)) return
  const data = `size=${MEMORY_SHARE},mode=0755`
  deps.syscalls.mount({ source: 'tmpfs', target, type: 'tmpfs', flags: MS_NOSUID | MS_NODEV, data })
}
