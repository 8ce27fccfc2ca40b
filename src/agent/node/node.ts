// This machine as a Node of the cluster: registered, looked at every ten seconds, reported when
// something has changed or five minutes have passed.

import { nodes } from '../../api/kinds/core/node/row.ts'
import type { Node } from '../../api/schema/generated/types.ts'
import { ApiError, isNotFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'
import type { Recorder } from '../../kit/events.ts'
import { isAbort } from '../../lib/abort.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { own } from '../../lib/own.ts'
import type { ImageSeen, ImageStore, Runtime } from '../../runtime/contract.ts'
import type { NodeSettings } from '../settings.ts'
import { type MachineFacts, readLoad } from './machine.ts'
import {
  type NodeView,
  newNode,
  nodeAnnotations,
  nodeLabels,
  nodeStatus,
  planNodePatch,
} from './node-status.ts'

export type NodeDeps = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
  readonly recorder: Recorder
  readonly runtime: Pick<Runtime, 'version'>
  readonly images: Pick<ImageStore, 'list'>
  readonly settings: NodeSettings
  readonly machine: MachineFacts
  /** Why pods cannot run here, beyond the runtime: each says its problem or nothing. */
  readonly checks: readonly (() => string | undefined)[]
}

const LOOK_MS = 10_000
const IMAGES_MS = 5 * 60 * 1000
const RETRY = { firstMs: 500, maxMs: 7_000 }

export class NodeReporter {
  readonly #deps: NodeDeps
  readonly #backoff: Backoff
  #node: Node | undefined
  #images: { seen: readonly ImageSeen[]; atMs: number } | undefined
  #wake: (() => void) | undefined
  #isReady: boolean | undefined
  #isGone = false
  #isNudged = false

  constructor(deps: NodeDeps) {
    this.#deps = deps
    this.#backoff = new Backoff(deps.clock, RETRY)
  }

  /** The node as it was seen last; undefined before the first look. */
  get node(): Node | undefined {
    return this.#node
  }

  /** The API has a newer version of it: labels, taints, the pod range. Undefined: it is gone. */
  seen(node: Node | undefined): void {
    if (node === undefined) {
      this.#isGone = true
      this.nudge()
      return
    }
    const status = this.#node?.status ?? node.status
    this.#node = status === undefined ? node : { ...node, status }
  }

  /** Looks again at once: a check has another answer. */
  nudge(): void {
    this.#isNudged = true
    this.#wake?.()
  }

  /** The node as it would be reported now, before the server has been asked for anything. */
  async look(signal: AbortSignal): Promise<Node> {
    this.#node ??= newNode(await this.#view(signal))
    return this.#node
  }

  /** Registers and reports until `signal` aborts. `registered` is called once. */
  async run(registered: () => void, signal: AbortSignal): Promise<void> {
    await this.#untilDone('register node', () => this.#register(signal), signal)
    if (signal.aborted) return
    registered()
    this.#deps.recorder.normal(this.#about(), 'Starting', 'Starting kubelet.')
    while (!signal.aborted) {
      await this.#untilDone('report node', () => this.#report(signal), signal)
      await this.#rest(LOOK_MS, signal)
    }
  }

  async #untilDone(what: string, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await work()
        this.#backoff.reset(what)
        return
      } catch (error) {
        if (isAbort(error, signal)) return
        const waitMs = this.#backoff.next(what)
        this.#deps.log.warn(`${what} failed`, { waitMs, error })
        await this.#rest(waitMs, signal)
      }
    }
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const early = new AbortController()
    this.#wake = () => early.abort()
    // A reason that came while we were at work must not wait either.
    if (this.#isNudged) early.abort()
    this.#isNudged = false
    // Both ends of the wait are fine: time has passed, or there is a reason to look now.
    await this.#deps.clock.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => {})
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, settings } = this.#deps
    const view = await this.#view(signal)
    this.#isGone = false
    try {
      this.#node = await client.create(nodes, newNode(view), signal)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      this.#node = await client.get(nodes, { name: settings.nodeName }, signal)
      await this.#putMetadata(view, signal)
    }
  }

  async #putMetadata(view: NodeView, signal: AbortSignal): Promise<void> {
    const { client, settings } = this.#deps
    const { labels, annotations } = this.#node?.metadata ?? {}
    const wanted = {
      labels: missing(labels, nodeLabels(view)),
      annotations: missing(annotations, nodeAnnotations(settings)),
    }
    const isThere = Object.values(wanted).every((part) => Object.keys(part).length === 0)
    if (isThere) return
    const where = { name: settings.nodeName }
    const patch = { type: 'merge' as const, body: { metadata: wanted } }
    this.#node = await client.patch(nodes, where, patch, signal)
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { client, clock, settings } = this.#deps
    if (this.#isGone) await this.#register(signal)
    const node = this.#node!
    await this.#refreshImages(signal)
    const status = nodeStatus(await this.#view(signal), node.status)
    const body = planNodePatch(node, status, clock.nowMs())
    if (body === undefined) return
    const where = { name: settings.nodeName, subresource: 'status' }
    try {
      this.#node = await client.patch(nodes, where, { type: 'strategic', body }, signal)
    } catch (error) {
      // Somebody deleted the node while it lives: it registers again.
      if (!isNotFound(error)) throw error
      await this.#register(signal)
    }
    this.#tell(status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True')
  }

  #tell(isReady: boolean): void {
    if (this.#isReady === isReady) return
    this.#isReady = isReady
    const reason = isReady ? 'NodeReady' : 'NodeNotReady'
    const { nodeName } = this.#deps.settings
    this.#deps.recorder.normal(this.#about(), reason, `Node ${nodeName} status is now: ${reason}`)
  }

  /** Events of a node are kept by its name, as upstream does it. */
  #about() {
    const { nodeName } = this.#deps.settings
    return { row: nodes, object: { metadata: { name: nodeName, uid: nodeName } } }
  }

  async #view(signal: AbortSignal): Promise<NodeView> {
    const { clock, runtime, settings, machine, checks } = this.#deps
    const runtimeVersion = await runtime.version(signal).catch((error) => {
      signal.throwIfAborted()
      this.#deps.log.warn('ask runtime for its version failed', { error })
      return undefined
    })
    return {
      settings,
      machine,
      load: await readLoad(settings.dataFolder),
      runtimeVersion,
      problems: checks.flatMap((check) => check() ?? []),
      images: this.#images?.seen ?? [],
      nowMs: clock.nowMs(),
    }
  }

  /** Reading what images there are takes a process for each: nothing that starts waits for it. */
  async #refreshImages(signal: AbortSignal): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs()
    if (this.#images !== undefined && nowMs - this.#images.atMs < IMAGES_MS) return
    try {
      this.#images = { seen: await this.#deps.images.list(signal), atMs: nowMs }
    } catch (error) {
      signal.throwIfAborted()
      this.#deps.log.warn('list images failed', { error })
    }
  }
}

/** What of `wanted` is not there, or another. */
function missing(
  there: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  const lacking = Object.entries(wanted).filter(([key, value]) => own(there, key) !== value)
  return Object.fromEntries(lacking)
}
