// The pods of this node: a worker for each, fed by what the API, the runtime and the objects that
// the pods use have to say.

import type { Pod } from '../../api/schema/generated/types.ts'
import type { Change } from '../../kit/informer.ts'
import { isAbort } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { PodSeen } from '../../runtime/contract.ts'
import { admitPod, type Host, type Rejection, refusePod } from '../plan/admit.ts'
import { podEvents } from './pod-events.ts'
import { PodWorker, type WorkerDeps } from './pod-worker.ts'

export type PodsDeps = {
  readonly clock: Clock
  readonly log: Log
  readonly worker: WorkerDeps
  /** What pods are judged by, now. */
  readonly host: () => Host
  /** Keeps at hand what a pod names; called for every new version of it. */
  readonly hold: (pod: Pod) => void
  /** The pod has left the API and the node. */
  readonly left: (pod: Pod) => void
  /** The pod has left the API; something of it may still be on the node. */
  readonly gone: (podUid: string) => void
}

/** What is to become of a pod that has just come. */
type Judgement = { readonly mayRun: 'yes' | 'later' | 'no'; readonly why: Rejection | undefined }

type Entry = { readonly worker: PodWorker; cancelTimer: (() => void) | undefined }

export class Pods {
  readonly #deps: PodsDeps
  readonly #entries = new Map<string, Entry>()
  readonly #start: (task: (signal: AbortSignal) => Promise<void>) => void
  /** Let in once those that are ending have left what they need. In the order they came. */
  readonly #waiting = new Map<string, Pod>()
  #adopted: ReadonlyMap<string, PodSeen>

  /** `adopted`: what ran here, by pod UID, before the agent started. */
  constructor(
    deps: PodsDeps,
    adopted: ReadonlyMap<string, PodSeen>,
    start: (task: (signal: AbortSignal) => Promise<void>) => void,
  ) {
    this.#deps = deps
    this.#adopted = adopted
    this.#start = start
  }

  /** With the status as this node sees it now. */
  find(namespace: string, name: string): Pod | undefined {
    return this.list().find(({ metadata }) => {
      return metadata.name === name && metadata.namespace === namespace
    })
  }

  /** Newest first among pods of one name. */
  list(): readonly Pod[] {
    const all = [...this.#entries.values()].map(({ worker }) => worker)
    return all.map((worker) => ({ ...worker.pod, status: worker.status })).toReversed()
  }

  has(podUid: string): boolean {
    return this.#entries.has(podUid)
  }

  podChanged(change: Change<Pod>): void {
    const uid = change.object.metadata.uid!
    const entry = this.#entries.get(uid)
    if (this.#waiting.has(uid)) return this.#waitingChanged(change)
    if (change.type === 'deleted') {
      this.#deps.gone(uid)
      entry?.worker.forget(change.object)
      return
    }
    this.#deps.hold(change.object)
    if (entry === undefined) return this.#add(change.object)
    const before = entry.worker.pod
    entry.worker.update(change.object)
    const isAnother = before.metadata.generation !== change.object.metadata.generation
    if (isAnother || areFieldsChanged(before, change.object)) entry.worker.objectsChanged()
  }

  runtimeChanged(podUid: string): void {
    this.#entries.get(podUid)?.worker.runtimeChanged()
  }

  objectsChanged(podUids: readonly string[]): void {
    for (const uid of podUids) this.#entries.get(uid)?.worker.objectsChanged()
  }

  /** What the volumes of the pod hold has to be renewed at this time. */
  refreshAt(pod: Pod, atMs: number): void {
    const entry = this.#entries.get(pod.metadata.uid!)
    if (entry === undefined) return
    entry.cancelTimer?.()
    const inMs = Math.max(atMs - this.#deps.clock.nowMs(), 0)
    entry.cancelTimer = this.#deps.clock.after(inMs, () => entry.worker.objectsChanged())
  }

  /**
   * Ends what runs of pods that nobody knows any more. Only after a word from the server.
   * `remembered`: such a pod as it was when it was still known.
   */
  clearOrphans(
    known: (podUid: string) => boolean,
    remembered: (podUid: string) => Pod | undefined,
  ): void {
    for (const [uid, seen] of this.#adopted) {
      if (known(uid) || this.#entries.has(uid)) continue
      this.#deps.log.info('end what is left of a forgotten pod', { podUid: uid })
      const pod = remembered(uid) ?? orphan(uid)
      this.#launch(pod, seen, (worker) => worker.forget(pod))
    }
    this.#adopted = new Map()
  }

  #add(pod: Pod): void {
    const uid = pod.metadata.uid!
    const seen = this.#adopted.get(uid)
    const { mayRun, why } = this.#judge(pod, seen)
    if (mayRun === 'later') {
      this.#waiting.set(uid, pod)
      const message = `Waiting for pods of this node that are ending: ${why!.message}`
      podEvents(this.#deps.worker.recorder, pod).normal('Waiting', message)
      return
    }
    this.#launch(pod, seen, (worker) => {
      if (mayRun === 'no') worker.reject(why!)
    })
  }

  #judge(pod: Pod, seen: PodSeen | undefined): Judgement {
    const host = this.#deps.host()
    if (wasAdmitted(pod, seen)) return judged(refusePod(pod, host))
    const workers = this.#active()
    const others = workers.map((worker) => worker.pod)
    const waiting = [...this.#waiting.values()].filter((one) => one !== pod)
    const why = admitPod(pod, host, [...others, ...waiting])
    if (why === undefined) return judged(undefined)
    const staying = workers.filter((worker) => !worker.isEnding).map((worker) => worker.pod)
    const isFreeSoon = admitPod(pod, host, [...staying, ...waiting]) === undefined
    return isFreeSoon ? { mayRun: 'later', why } : judged(why)
  }

  #waitingChanged({ type, object }: Change<Pod>): void {
    const uid = object.metadata.uid!
    if (type === 'deleted') {
      this.#waiting.delete(uid)
      this.#deps.gone(uid)
      this.#deps.left(object)
      return
    }
    this.#deps.hold(object)
    if (object.metadata.deletionTimestamp === undefined) {
      this.#waiting.set(uid, object)
      return
    }
    // Nothing of it has run; its worker says so to the API.
    this.#waiting.delete(uid)
    this.#launch(object, undefined, () => {})
  }

  /** A pod has left: what waited for that is looked at again. */
  #admitWaiting(): void {
    for (const [uid, pod] of [...this.#waiting]) {
      const { mayRun, why } = this.#judge(pod, undefined)
      if (mayRun === 'later') continue
      this.#waiting.delete(uid)
      this.#launch(pod, undefined, (worker) => {
        if (mayRun === 'no') worker.reject(why!)
      })
    }
  }

  #launch(pod: Pod, seen: PodSeen | undefined, prepare: (worker: PodWorker) => void): void {
    const uid = pod.metadata.uid!
    const worker = new PodWorker(this.#deps.worker, pod, seen)
    this.#entries.set(uid, { worker, cancelTimer: undefined })
    prepare(worker)
    this.#start(async (signal) => {
      try {
        await worker.run(signal)
        this.#deps.left(worker.pod)
      } catch (error) {
        if (!isAbort(error, signal)) throw error
      } finally {
        this.#entries.get(uid)?.cancelTimer?.()
        this.#entries.delete(uid)
      }
      this.#admitWaiting()
    })
  }

  /** Those that hold resources of the node. */
  #active(): PodWorker[] {
    const workers = [...this.#entries.values()].map(({ worker }) => worker)
    return workers.filter(({ status: { phase } }) => phase !== 'Succeeded' && phase !== 'Failed')
  }
}

function judged(why: Rejection | undefined): Judgement {
  return { mayRun: why === undefined ? 'yes' : 'no', why }
}

/** It ran before, or it was admitted by the agent before this one. */
function wasAdmitted(pod: Pod, seen: PodSeen | undefined): boolean {
  return seen !== undefined || pod.status?.startTime !== undefined
}

/** What downwardAPI volumes show of a pod itself. */
function areFieldsChanged(before: Pod, now: Pod): boolean {
  const shown = ({ metadata }: Pod) => JSON.stringify([metadata.labels, metadata.annotations])
  const showsFields = now.spec.volumes?.some(
    ({ downwardAPI, projected }) =>
      downwardAPI ?? projected?.sources?.some((source) => source.downwardAPI),
  )
  return (showsFields ?? false) && shown(before) !== shown(now)
}

/** Stands for a pod of which only the UID is known, so that a worker can clear it away. */
function orphan(uid: string): Pod {
  return {
    metadata: { uid, name: uid, namespace: 'forgotten', deletionTimestamp: '1970-01-01T00:00:00Z' },
    spec: { containers: [] },
  }
}
