// Brings what the workers say of their pods to the API: at most one request for a pod at a time,
// and always the newest word. A pod that is over and was deleted is taken out of the API at the
// end.

import { pods } from '../../api/kinds/core/pod/row.ts'
import type { Pod, PodStatus } from '../../api/schema/generated/types.ts'
import { isNotFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { withTasks } from '../../lib/tasks.ts'
import { planStatusPatch } from './patch.ts'

export type ReporterDeps = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
}

type Word = {
  /** As the API has it, as far as we know. */
  pod: Pod
  status: PodStatus
  isOver: boolean
  isSending: boolean
}

/** After a failure: as long as the server is away there is nothing better to do. */
const RETRY = { firstMs: 500, maxMs: 30_000 }

export class StatusReporter {
  readonly #deps: ReporterDeps
  readonly #words = new Map<string, Word>()
  readonly #backoff: Backoff
  #start: ((task: (signal: AbortSignal) => Promise<void>) => void) | undefined

  constructor(deps: ReporterDeps) {
    this.#deps = deps
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  /** Sends what is reported until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return withTasks(async (start) => {
      this.#start = start
      for (const uid of this.#words.keys()) this.#send(uid)
      // The group lives until the signal ends it; tasks come and go.
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }, signal)
  }

  report(pod: Pod, status: PodStatus, isOver: boolean): void {
    const uid = pod.metadata.uid!
    const word = this.#words.get(uid)
    if (word === undefined) this.#words.set(uid, { pod, status, isOver, isSending: false })
    else {
      word.pod = newer(word.pod, pod)
      word.status = status
      word.isOver = isOver
    }
    this.#send(uid)
  }

  /** The pod has gone from the API: nothing more is to be said. */
  forget(podUid: string): void {
    this.#words.delete(podUid)
    this.#backoff.reset(podUid)
  }

  #send(uid: string): void {
    const word = this.#words.get(uid)
    if (this.#start === undefined || word === undefined || word.isSending) return
    if (!hasNews(word)) return
    word.isSending = true
    this.#start(async (signal) => {
      await this.#sendAll(uid, word, signal)
      word.isSending = false
    })
  }

  /** Until there is nothing more to say. */
  async #sendAll(uid: string, word: Word, signal: AbortSignal): Promise<void> {
    let sent: PodStatus | undefined
    while (this.#words.get(uid) === word && hasNews(word) && !signal.aborted) {
      // The server keeps it in another form than ours: saying it again would change nothing.
      if (sent === word.status && !isDeletable(word)) {
        const left = planStatusPatch(word.pod, word.status)
        this.#deps.log.debug('status is kept in another form', { left })
        return
      }
      const { status } = word
      try {
        await this.#sendOnce(uid, word, signal)
        this.#backoff.reset(uid)
        sent = status
      } catch (error) {
        if (signal.aborted) return
        if (isNotFound(error)) return this.forget(uid)
        const waitMs = this.#backoff.next(uid)
        const { namespace, name } = word.pod.metadata
        const what = { pod: `${namespace}/${name}`, waitMs, error }
        this.#deps.log.warn('report pod status failed', what)
        await this.#deps.clock.sleep(waitMs, signal).catch(() => {})
      }
    }
  }

  async #sendOnce(uid: string, word: Word, signal: AbortSignal): Promise<void> {
    const { client } = this.#deps
    const { namespace, name = '' } = word.pod.metadata
    const body = planStatusPatch(word.pod, word.status)
    if (body !== undefined) {
      const where = { namespace, name, subresource: 'status' }
      const patched = await client.patch(pods, where, { type: 'strategic', body }, signal)
      word.pod = newer(word.pod, patched)
    }
    if (isDeletable(word)) {
      const options = { gracePeriodSeconds: 0, uid }
      await client.delete(pods, { namespace, name }, options, signal)
      this.forget(uid)
    }
  }
}

function hasNews(word: Word): boolean {
  return planStatusPatch(word.pod, word.status) !== undefined || isDeletable(word)
}

/** Its end has been told, and nothing of it is left here. */
function isDeletable({ pod, isOver }: Word): boolean {
  return isOver && pod.metadata.deletionTimestamp !== undefined
}

/** Of two versions of one pod. Revisions of one server grow. */
function newer(a: Pod, b: Pod): Pod {
  const revisionOf = ({ metadata }: Pod) => Number(metadata.resourceVersion ?? 0)
  return revisionOf(b) >= revisionOf(a) ? b : a
}
