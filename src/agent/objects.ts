// ConfigMaps and Secrets that the pods of this node use, and no others: a node may read only those.
//
// Each is watched by name for as long as a pod holds it. What was known before a restart of the
// agent is there at once, so that containers start again with no server in reach.

import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { secrets } from '../api/kinds/core/secret/row.ts'
import type { KubeObject } from '../api/object.ts'
import { ContainerError } from '../api/pod/container-error.ts'
import type { ResourceRow } from '../api/resource.ts'
import type { ConfigMap, Pod, Secret } from '../api/schema/generated/types.ts'
import { type Change, Informer, type InformerDeps } from '../kit/informer.ts'
import { isAbort } from '../lib/abort.ts'
import { timeLimit } from '../lib/clock.ts'
import type { Contents, ObjectReader } from '../volumes/contract.ts'

export type ObjectKind = 'configmap' | 'secret'
/** A pod must not hang for ever on a server that does not answer; it tries again later. */
const WAIT_MS_MAX = 5_000

type Entry = {
  readonly kind: ObjectKind
  readonly informer: Informer<KubeObject>
  readonly stop: AbortController
  readonly done: Promise<void>
  readonly holders: Set<string>
}

export type ObjectsDeps = InformerDeps & {
  /** Every change of an object that is held, its first appearance included. */
  onChange: (kind: ObjectKind, change: Change<KubeObject>) => void
  /** An object is another one than these pods have seen, or has come at last. */
  onNews: (podUids: readonly string[]) => void
  /** What was known before this start. */
  remembered: (kind: ObjectKind, namespace: string, name: string) => KubeObject | undefined
  /** An object is not held any more. */
  forgotten: (kind: ObjectKind, namespace: string, name: string) => void
}

export class Objects implements ObjectReader {
  readonly #deps: ObjectsDeps
  readonly #entries = new Map<string, Entry>()

  constructor(deps: ObjectsDeps) {
    this.#deps = deps
  }

  /** Holds exactly what `pod` names; what no pod holds any more is let go. */
  hold(pod: Pod): void {
    const uid = pod.metadata.uid!
    const namespace = pod.metadata.namespace!
    const wanted = refsOf(pod)
    for (const [kind, name] of wanted) {
      this.#entry(kind, namespace, name).holders.add(uid)
    }
    const keys = new Set(wanted.map(([kind, name]) => keyOf(kind, namespace, name)))
    this.#letGo(uid, (key) => !keys.has(key))
  }

  release(podUid: string): void {
    this.#letGo(podUid, () => true)
  }

  async configMap(namespace: string, name: string, signal: AbortSignal) {
    const found = await this.#get('configmap', namespace, name, signal)
    return found === undefined ? undefined : configMapContents(found as ConfigMap)
  }

  async secret(namespace: string, name: string, signal: AbortSignal) {
    const found = await this.#get('secret', namespace, name, signal)
    return found === undefined ? undefined : secretContents(found as Secret)
  }

  /** The whole Secret, for its type. */
  async wholeSecret(namespace: string, name: string, signal: AbortSignal) {
    return (await this.#get('secret', namespace, name, signal)) as Secret | undefined
  }

  /** Ends all watches. */
  async close(): Promise<void> {
    for (const { stop } of this.#entries.values()) stop.abort()
    await Promise.all([...this.#entries.values()].map(({ done }) => done))
    this.#entries.clear()
  }

  #entry(kind: ObjectKind, namespace: string, name: string): Entry {
    const key = keyOf(kind, namespace, name)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const row: ResourceRow<KubeObject> = (kind === 'secret' ? secrets : configMaps) as never
    const selection = { namespace, fieldSelector: `metadata.name=${name}` }
    const informer = new Informer<KubeObject>(row, selection, this.#deps)
    const remembered = this.#deps.remembered(kind, namespace, name)
    if (remembered !== undefined) informer.seed([remembered])
    const stop = new AbortController()
    const holders = new Set<string>()
    informer.onChange((change) => {
      this.#deps.onChange(kind, change)
      // Who waits for the first answer gets it from `#get`; that is no news.
      if (change.type !== 'added' || informer.isSynced) this.#deps.onNews([...holders])
    })
    const entry = { kind, informer, stop, done: informer.run(stop.signal), holders }
    this.#entries.set(key, entry)
    return entry
  }

  async #get(kind: ObjectKind, namespace: string, name: string, signal: AbortSignal) {
    const { informer } = this.#entry(kind, namespace, name)
    const key = `${namespace}/${name}`
    const known = informer.lister.get(key)
    if (known !== undefined || informer.isSynced) return known
    const limit = timeLimit(this.#deps.clock, WAIT_MS_MAX, signal)
    try {
      await informer.synced(limit.signal)
    } catch (error) {
      if (isAbort(error, signal)) throw error
      const message = `failed to sync ${kind} cache: timed out waiting for the condition`
      throw new ContainerError('CreateContainerConfigError', message, { cause: error })
    } finally {
      limit.done()
    }
    return informer.lister.get(key)
  }

  #letGo(uid: string, isOver: (key: string) => boolean): void {
    for (const [key, entry] of this.#entries) {
      if (!isOver(key) || !entry.holders.delete(uid) || entry.holders.size > 0) continue
      entry.stop.abort()
      this.#entries.delete(key)
      const [, namespace, name] = key.split('/')
      this.#deps.forgotten(entry.kind, namespace!, name!)
    }
  }
}

function keyOf(kind: ObjectKind, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}

function configMapContents({ data, binaryData }: ConfigMap): Contents {
  const text = Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const)
  return new Map([...text, ...decoded(binaryData)])
}

function secretContents({ data }: Secret): Contents {
  return new Map(decoded(data))
}

function decoded(data: Record<string, string> | undefined) {
  return Object.entries(data ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  )
}

/** Every ConfigMap and Secret that a pod names: volumes, variables, pull secrets. Pure. */
function refsOf({ spec }: Pod): [ObjectKind, string][] {
  const refs = new Map<string, [ObjectKind, string]>()
  const add = (kind: ObjectKind, name: string | undefined) => {
    if (name) refs.set(`${kind}/${name}`, [kind, name])
  }
  for (const { configMap, secret, projected } of spec.volumes ?? []) {
    add('configmap', configMap?.name)
    add('secret', secret?.secretName)
    for (const source of projected?.sources ?? []) {
      add('configmap', source.configMap?.name)
      add('secret', source.secret?.name)
    }
  }
  const { containers, initContainers = [], ephemeralContainers = [] } = spec
  for (const { env, envFrom } of [...containers, ...initContainers, ...ephemeralContainers]) {
    for (const { valueFrom } of env ?? []) {
      add('configmap', valueFrom?.configMapKeyRef?.name)
      add('secret', valueFrom?.secretKeyRef?.name)
    }
    for (const { configMapRef, secretRef } of envFrom ?? []) {
      add('configmap', configMapRef?.name)
      add('secret', secretRef?.name)
    }
  }
  for (const { name } of spec.imagePullSecrets ?? []) add('secret', name)
  return [...refs.values()]
}
