// WATCH: events from a revision on, or the present state first.
//
//   start ─► [ initial ADDED … ─► BOOKMARK initial-events-end ] ─► live ─► end
//
// The reader is never waited for by anybody but its own loop; the store cuts it off when it falls
// too far behind. Bookmarks go out from timers, while the loop waits for news: then all that was
// published has been written, so the newest published revision is a safe place to resume from.

import type { AnyRow } from '../../../api/resource.ts'
import { ApiError } from '../../../api/status.ts'
import { CompactedError, SlowWatcherError, type StoreWatch } from '../../../store/store.ts'
import { nextTurn } from '../../../store/turn.ts'
import { MEDIA_TYPES, negotiateOutput } from '../../request/negotiation.ts'
import { type ListOptions, listOptions, parseRevision } from '../../request/options.ts'
import { expired } from '../../response/errors.ts'
import { type EventWriter, eventWriter } from '../../response/event.ts'
import { formOf } from '../../response/form.ts'
import { seenByAll, seenThrough } from '../../response/watch-events.ts'
import type { ResourceRequest, Server } from '../../server.ts'
import { portionsOf } from '../../storage/portions.ts'
import type { Answer, Sink } from '../../transport/call.ts'
import { type Selection, selectionOf } from './selection.ts'

const BOOKMARK_MS = 60_000
/** A last bookmark this long before the end, so that the next watch starts where this one ended. */
const LAST_BOOKMARK_MS = 2_000
/** Watches without a time limit of their own end after one to two of these. */
const DURATION_MS_MIN = 1_800_000

export function watch(request: ResourceRequest): Answer {
  const output = negotiateOutput(request.call)
  if (output.format === 'yaml') throw notStreamed()
  // The old form of the path, /api/v1/watch/…, says so without the query.
  const options = listOptions(request.call.query, true)
  const selection = selectionOf(request, options)
  const fromRevision = parseRevision(options.resourceVersion)
  const plan: Plan = {
    row: request.row,
    selection,
    options,
    fromRevision,
    initial: wantsInitial(options),
    durationMs: durationOf(request.server, options),
  }
  const writer = eventWriter(request.row, formOf(request, output))
  const isProtobuf = output.format === 'protobuf' && output.as === undefined
  const type = isProtobuf ? `${MEDIA_TYPES.protobuf};stream=watch` : MEDIA_TYPES.json
  const headers = { 'content-type': type, 'transfer-encoding': 'chunked' }
  const push = (sink: Sink) => runWatch(request.server, plan, writer, sink)
  return { code: 200, headers, body: { push } }
}

function notStreamed(): ApiError {
  const types = [MEDIA_TYPES.json, MEDIA_TYPES.protobuf].map((type) => `${type};stream=watch`)
  const message = `only the following media types are accepted: ${types.join(', ')}`
  return new ApiError(406, 'NotAcceptable', message)
}

type Plan = {
  row: AnyRow
  selection: Selection
  options: ListOptions
  fromRevision: number
  /** The present state is sent first. */
  initial: boolean
  durationMs: number
}

/** Without a revision, a watch begins with all there is, unless it says otherwise. */
function wantsInitial(options: ListOptions): boolean {
  if (options.sendInitialEvents !== undefined) return options.sendInitialEvents
  return options.resourceVersion === '' || options.resourceVersion === '0'
}

function durationOf(server: Server, options: ListOptions): number {
  if (options.timeoutSeconds) return options.timeoutSeconds * 1000
  return DURATION_MS_MIN * (1 + server.random.next())
}

async function runWatch(server: Server, plan: Plan, writer: EventWriter, sink: Sink) {
  const watching = new Watching(server, plan, writer, sink)
  try {
    await watching.run()
  } catch (error) {
    if (error instanceof SlowWatcherError) return
    const fault = error instanceof CompactedError ? tooOld(plan, error) : error
    if (!(fault instanceof ApiError)) throw fault
    sink.write(writer.error(fault.toStatus()))
  } finally {
    watching.stop()
  }
}

function tooOld(plan: Plan, error: CompactedError): ApiError {
  return expired(`too old resource version: ${plan.fromRevision} (${error.compactedRevision})`)
}

class Watching {
  readonly #server: Server
  readonly #plan: Plan
  readonly #writer: EventWriter
  readonly #sink: Sink
  #timers: (() => void)[] = []
  #watch: StoreWatch | undefined
  #isStopped = false
  /** All that was published has been written. */
  #isCaughtUp = false

  constructor(server: Server, plan: Plan, writer: EventWriter, sink: Sink) {
    this.#server = server
    this.#plan = plan
    this.#writer = writer
    this.#sink = sink
  }

  async run(): Promise<void> {
    const { selection, options, fromRevision, initial, durationMs } = this.#plan
    const { store, clock } = this.#server
    // Who names no revision begins with the newest.
    if (!options.resourceVersion) await store.current(this.#sink.signal)
    this.#sink.signal.addEventListener('abort', () => this.stop(), { once: true })
    this.#timers.push(
      clock.after(durationMs, () => this.stop()),
      this.#endWithRow(),
    )
    const from = initial ? await this.#sendInitial() : fromRevision || store.revision
    if (this.#isStopped || this.#sink.signal.aborted) return
    this.#watch = store.watch(selection.key ?? selection.prefix, from)
    this.#planBookmarks()
    await this.#follow(this.#watch)
  }

  stop(): void {
    this.#isStopped = true
    for (const cancel of this.#timers.splice(0)) cancel()
    this.#watch?.close()
  }

  /** A custom kind is watched as it is defined: a new definition begins new watches. */
  #endWithRow(): () => void {
    const { registry } = this.#server
    const { row } = this.#plan
    if (row.custom === undefined) return () => {}
    return registry.onChange(() => {
      if (registry.find(row.group, row.version, row.plural) !== row) this.stop()
    })
  }

  async #sendInitial(): Promise<number> {
    const { selection, options } = this.#plan
    const { store } = this.#server
    let revision = 0
    for (const portion of portionsOf(store, selection.key ?? selection.prefix)) {
      if (revision > 0) await nextTurn()
      revision = portion.revision
      for (const entry of portion.entries) {
        if (!selection.matches(entry)) continue
        if (!this.#sink.write(this.#writer.write('ADDED', entry))) await this.#sink.drained()
        if (this.#isStopped) return revision
      }
    }
    if (options.allowWatchBookmarks) this.#sink.write(this.#writer.bookmark(revision, true))
    return revision
  }

  async #follow(events: StoreWatch): Promise<void> {
    const { selection } = this.#plan
    this.#isCaughtUp = true
    for await (const batch of events) {
      this.#isCaughtUp = false
      for (const event of batch) {
        const seen = selection.isEverything
          ? seenByAll(event)
          : seenThrough(event, selection.matches)
        if (seen === undefined) continue
        if (!this.#sink.write(this.#writer.write(seen.type, seen.entry))) await this.#sink.drained()
        if (this.#isStopped) return
      }
      this.#isCaughtUp = true
    }
  }

  #planBookmarks(): void {
    if (!this.#plan.options.allowWatchBookmarks) return
    const { clock, store } = this.#server
    const bookmark = () => {
      if (this.#isCaughtUp) this.#sink.write(this.#writer.bookmark(store.revision, false))
    }
    const each = () => {
      bookmark()
      this.#timers.push(clock.after(BOOKMARK_MS, each))
    }
    this.#timers.push(clock.after(BOOKMARK_MS, each))
    const lastMs = this.#plan.durationMs - LAST_BOOKMARK_MS
    if (lastMs > 0) this.#timers.push(clock.after(lastMs, bookmark))
  }
}
