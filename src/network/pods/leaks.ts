// Addresses that host-local still holds for pods that are gone.

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * host-local keeps one file per address, named after it, that starts with the id of its pod.
 * Removes those of pods that are not alive; other files of the folder are its lock and its last
 * address.
 */
export async function collectAddresses(dir: string, liveIds: ReadonlySet<string>): Promise<void> {
  const names = await readdir(dir).catch((): string[] => []) // No pod had an address yet.
  for (const name of names.filter((one) => /^[0-9a-f.:]+$/.test(one))) {
    const id = (await readFile(join(dir, name), 'utf8')).split(/\s/)[0]!
    if (!liveIds.has(id)) await rm(join(dir, name), { force: true })
  }
}
