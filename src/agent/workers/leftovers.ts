// What pods leave behind on disk, and what is left of pods that went while the agent was away.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeIfAny } from '../../lib/files.ts'
import type { Log } from '../../lib/log.ts'
import type { PodVolumes } from '../../volumes/volumes.ts'
import { folderOf } from '../folders.ts'
import type { NodeSettings } from '../settings.ts'

export type LeftoverDeps = {
  readonly volumes: Pick<PodVolumes, 'remove'>
  readonly settings: NodeSettings
  readonly log: Log
}

const UID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class Leftovers {
  readonly #deps: LeftoverDeps

  constructor(deps: LeftoverDeps) {
    this.#deps = deps
  }

  /** Logs go with the pod, not with its containers. Its UID is enough to know them. */
  async removeLogs(podUid: string): Promise<void> {
    const { logsFolder } = this.#deps.settings
    for (const name of await namesIn(logsFolder)) {
      if (!name.endsWith(`_${podUid}`)) continue
      await this.#try('remove logs', () => removeIfAny(join(logsFolder, name)))
    }
  }

  /**
   * Removes folders and logs of pods that are not `known`. Logs only of pods that we had: their
   * folder is shared with whoever else runs containers on this machine.
   */
  async clear(known: (podUid: string) => boolean, had: ReadonlySet<string>): Promise<void> {
    const { settings, volumes } = this.#deps
    const left = (await namesIn(folderOf(settings, 'pods'))).filter((uid) => !known(uid))
    for (const uid of left) {
      await this.#try('remove pod folder', () => volumes.remove(uid))
    }
    const ours = new Set([...had, ...left])
    for (const name of await namesIn(settings.logsFolder)) {
      const uid = UID.exec(name)?.[0] ?? ''
      if (known(uid) || !ours.has(uid)) continue
      await this.#try('remove logs', () => removeIfAny(join(settings.logsFolder, name)))
    }
  }

  async #try(what: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error) => this.#deps.log.warn(`${what} failed`, { error }))
  }
}

/** Only what carries a pod's UID in its name is ours to judge. */
async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => UID.test(name))
}
