// What we remember of each container over restarts of the agent and of the machine: one small file.
//
// Renamed into place but not synced: after a power cut the containers are gone anyway, and a lost
// record means only that the pod's own status is the last word on how often it was restarted.

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../lib/files.ts'
import type { ContainerConfig, ContainerSeen } from './contract.ts'

export type ContainerRecord = ContainerSeen & {
  readonly podNamespace: string
  readonly podName: string
  readonly chainId: string
  readonly cgroupPath: string
  readonly logPath: string
  readonly linkPath: string | undefined
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly stopSignal: string
  readonly pid: number | undefined
}

export type DraftWish = {
  readonly id: string
  readonly chainId: string
  readonly linksDir: string | undefined
  readonly nowMs: number
}

/** The record of a container that is about to be made. Pure. */
export function draftRecord(config: ContainerConfig, wish: DraftWish): ContainerRecord {
  const { pod, container, kind, attempt, image } = config
  const { name: podName = '', namespace: podNamespace = '', uid: podUid = '' } = pod.metadata
  const { id, chainId, linksDir, nowMs } = wish
  const link = `${podName}_${podNamespace}_${container.name}-${id}.log`
  return {
    id,
    podUid,
    podName,
    podNamespace,
    name: container.name,
    kind,
    attempt,
    chainId,
    state: 'created',
    createdAtMs: nowMs,
    startedAtMs: undefined,
    exitedAtMs: undefined,
    exitCode: undefined,
    signal: undefined,
    oomKilled: false,
    image: container.image ?? image.name,
    imageId: image.repoDigests[0] ?? image.id,
    failure: undefined,
    cgroupPath: `${config.cgroupParent}/${id}`,
    logPath: config.logPath,
    linkPath: linksDir === undefined ? undefined : join(linksDir, link),
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    stopSignal: container.lifecycle?.stopSignal ?? (image.config.stopSignal || 'SIGTERM'),
    pid: undefined,
  }
}

const FILE = 'record.json'

export class Records {
  readonly #dir: string
  readonly #saving = new Map<string, Promise<void>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  folder(id: string): string {
    return join(this.#dir, id)
  }

  /** Saves of one container take turns, so that the last one called is the one that stays. */
  save(record: ContainerRecord): Promise<void> {
    const before = this.#saving.get(record.id) ?? Promise.resolve()
    const mine = before.then(() => this.#write(record))
    // The next save goes on even if this one fails; this one's caller sees the failure.
    const settled = mine.catch(() => {}).finally(() => this.#forget(record.id, settled))
    this.#saving.set(record.id, settled)
    return mine
  }

  #forget(id: string, turn: Promise<void>): void {
    if (this.#saving.get(id) === turn) this.#saving.delete(id)
  }

  async #write(record: ContainerRecord): Promise<void> {
    const folder = this.folder(record.id)
    await mkdir(folder, { recursive: true, mode: 0o711 })
    const draft = join(folder, `${FILE}.new`)
    await writeFile(draft, JSON.stringify(record), { mode: 0o600 })
    await rename(draft, join(folder, FILE))
  }

  /** Folders without a whole record are what a crash left half-made; their names come second. */
  async load(): Promise<{ records: ContainerRecord[]; broken: string[] }> {
    await mkdir(this.#dir, { recursive: true, mode: 0o711 })
    const records: ContainerRecord[] = []
    const broken: string[] = []
    for (const id of await readdir(this.#dir)) {
      const record = await this.#read(id)
      if (record === undefined) broken.push(id)
      else records.push(record)
    }
    return { records, broken }
  }

  async #read(id: string): Promise<ContainerRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(join(this.#dir, id, FILE), 'utf8'))
      return record.id === id ? record : undefined
    } catch (error) {
      if (isMissing(error) || error instanceof SyntaxError) return undefined
      throw error
    }
  }
}

/** Only what the contract promises. */
export function seenOf(record: ContainerRecord): ContainerSeen {
  const { id, podUid, name, kind, attempt, state, createdAtMs, startedAtMs, exitedAtMs } = record
  const { exitCode, signal, oomKilled, image, imageId, failure, user } = record
  return {
    id,
    podUid,
    name,
    kind,
    attempt,
    state,
    createdAtMs,
    startedAtMs,
    exitedAtMs,
    exitCode,
    signal,
    oomKilled,
    image,
    imageId,
    failure,
    ...(user && { user }),
  }
}
