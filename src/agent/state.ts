// The last word of the server, on disk: pods, and the ConfigMaps and Secrets they use. From it the
// agent starts its pods when there is no server in reach.
//
//   <folder>/pods/<uid>.json
//   <folder>/services.json                               for the variables that tell of Services
//   <folder>/objects/<kind>_<namespace>_<name>.json      Secrets: sealed with <folder>/key
//
// Written only when something changed that a start depends on: an SD card is not a log.

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeList, KubeObject } from '../api/object.ts'
import type { Pod, Service } from '../api/schema/generated/types.ts'
import { isMissing, removeIfAny, writeFileAtomic } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'
import type { ObjectKind } from './objects.ts'

const SERVICES = 'services.json'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

export type StateDeps = { readonly folder: string; readonly random: Random; readonly log: Log }

export class AgentState {
  readonly #deps: StateDeps
  readonly #key: Uint8Array
  /** What lies on disk, by file name: the hash of its contents. */
  readonly #hashes = new Map<string, string>()
  readonly #objects = new Map<string, KubeObject>()
  readonly #pods: Pod[] = []
  #services: readonly Service[] = []
  /** One write after the other, so that an old version never lands on a newer one. */
  #queue: Promise<void> = Promise.resolve()

  private constructor(deps: StateDeps, key: Uint8Array) {
    this.#deps = deps
    this.#key = key
  }

  /** Reads what there is. A file that cannot be read is left out and said so, never fatal. */
  static async open(deps: StateDeps): Promise<AgentState> {
    for (const name of ['pods', 'objects']) {
      await mkdir(join(deps.folder, name), { recursive: true, mode: 0o700 })
    }
    const state = new AgentState(deps, await keyOf(deps))
    await state.#readAll()
    return state
  }

  /** The pods of this node as they were when the agent was last alive. */
  get pods(): readonly Pod[] {
    return this.#pods
  }

  object(kind: ObjectKind, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(objectFile(kind, namespace, name))
  }

  keepPod(pod: Pod): void {
    this.#write(podFile(pod.metadata.uid!), Buffer.from(JSON.stringify(worthKeeping(pod))))
  }

  dropPod(podUid: string): void {
    this.#remove(podFile(podUid))
  }

  keepObject(kind: ObjectKind, object: KubeObject): void {
    const { namespace = '', name = '' } = object.metadata
    const { managedFields: _, ...metadata } = object.metadata
    const bytes = Buffer.from(JSON.stringify({ ...object, metadata }))
    this.#write(objectFile(kind, namespace, name), bytes, kind === 'secret')
  }

  dropObject(kind: ObjectKind, namespace: string, name: string): void {
    this.#remove(objectFile(kind, namespace, name))
  }

  get services(): readonly Service[] {
    return this.#services
  }

  keepServices(services: readonly Service[]): void {
    const kept = services.map(({ metadata: { name, namespace, uid }, spec }) => ({
      metadata: { name, namespace, uid },
      spec: { clusterIP: spec?.clusterIP, ports: spec?.ports },
    }))
    const sorted = kept.toSorted((a, b) =>
      (a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1,
    )
    this.#write(SERVICES, Buffer.from(JSON.stringify({ metadata: {}, items: sorted })))
  }

  /** Resolves when all that was asked for is on disk. */
  settled(): Promise<void> {
    return this.#queue
  }

  #write(file: string, bytes: Buffer, isSecret = false): void {
    const hash = createHash('sha256').update(bytes).digest('base64')
    if (this.#hashes.get(file) === hash) return
    this.#hashes.set(file, hash)
    this.#enqueue(file, async () => {
      // A later version is on its way: this one would be a write for nothing.
      if (this.#hashes.get(file) !== hash) return
      await writeFileAtomic(join(this.#deps.folder, file), isSecret ? this.#seal(bytes) : bytes)
    })
  }

  #remove(file: string): void {
    this.#hashes.delete(file)
    this.#objects.delete(file)
    this.#enqueue(file, async () => {
      if (!this.#hashes.has(file)) await removeIfAny(join(this.#deps.folder, file))
    })
  }

  #enqueue(file: string, work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error) => {
      // A full disk costs the next start without a server, nothing now.
      this.#hashes.delete(file)
      this.#deps.log.warn('keep state failed', { file, error })
    })
  }

  async #readAll(): Promise<void> {
    for (const name of await readdir(join(this.#deps.folder, 'pods'))) {
      const pod = await this.#read(`pods/${name}`, false)
      if (pod !== undefined) this.#pods.push(pod as Pod)
    }
    await this.#readServices()
    for (const name of await readdir(join(this.#deps.folder, 'objects'))) {
      const file = `objects/${name}`
      const object = await this.#read(file, name.startsWith('secret_'))
      if (object !== undefined) this.#objects.set(file, object)
    }
  }

  async #readServices(): Promise<void> {
    const list = (await this.#read(SERVICES, false)) as KubeList<Service> | undefined
    this.#services = list?.items ?? []
  }

  async #read(file: string, isSecret: boolean): Promise<KubeObject | undefined> {
    if (!file.endsWith('.json')) return undefined
    try {
      const raw = await readFile(join(this.#deps.folder, file))
      const bytes = isSecret ? this.#unseal(raw) : raw
      const object = JSON.parse(bytes.toString())
      this.#hashes.set(file, createHash('sha256').update(bytes).digest('base64'))
      return object
    } catch (error) {
      if (isMissing(error)) return undefined
      this.#deps.log.warn('read state failed', { file, error })
      return undefined
    }
  }

  #seal(bytes: Buffer): Buffer {
    const iv = this.#deps.random.bytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), sealed])
  }

  #unseal(raw: Buffer): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, raw.subarray(0, IV_BYTES))
    decipher.setAuthTag(raw.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(raw.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
  }
}

async function keyOf({ folder, random }: StateDeps): Promise<Uint8Array> {
  const path = join(folder, 'key')
  try {
    const key = await readFile(path)
    if (key.length === KEY_BYTES) return key
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const key = random.bytes(KEY_BYTES)
  await writeFileAtomic(path, key, 0o600)
  return key
}

function podFile(uid: string): string {
  return `pods/${uid}.json`
}

/** No part of a name may hold a slash or an underscore, so this is one to one. */
function objectFile(kind: ObjectKind, namespace: string, name: string): string {
  return `objects/${kind}_${namespace}_${name}.json`
}

/**
 * What a start depends on: the wish, and of the status how containers ended and how often they were
 * restarted. Conditions and other times are left out, so that they cost no write.
 */
function worthKeeping(pod: Pod): Pod {
  const { managedFields: _, resourceVersion: __, ...metadata } = pod.metadata
  const { phase, reason, message, startTime, podIP, podIPs } = pod.status ?? {}
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {}
  const status = {
    phase,
    reason,
    message,
    startTime,
    podIP,
    podIPs,
    containerStatuses,
    initContainerStatuses,
    ephemeralContainerStatuses,
  }
  return { ...pod, metadata, status: JSON.parse(JSON.stringify(status)) }
}
