// LIST: the state at one revision, page by page.

import { badRequest } from '../../../api/status.ts'
import {
  CompactedError,
  type Entry,
  FutureRevisionError,
  type ListResult,
  type Store,
} from '../../../store/store.ts'
import { negotiateOutput } from '../../request/negotiation.ts'
import { type ListOptions, listOptions, parseListRevision } from '../../request/options.ts'
import { expired, tooLargeRevision } from '../../response/errors.ts'
import { type Form, formOf } from '../../response/form.ts'
import { type Page, pageAnswer } from '../../response/list.ts'
import { wholeListAnswer } from '../../response/whole-list.ts'
import type { ResourceRequest } from '../../server.ts'
import { portionsOf } from '../../storage/portions.ts'
import type { Answer } from '../../transport/call.ts'
import { readNewest } from '../newest.ts'
import { decodeContinue, encodeContinue } from './continue-token.ts'
import { type Selection, selectionOf } from './selection.ts'

export function list(request: ResourceRequest): Answer | Promise<Answer> {
  const form = formOf(request, negotiateOutput(request.call))
  const options = listOptions(request.call.query)
  const selection = selectionOf(request, options)
  const { store } = request.server
  return readNewest(request, options.continueToken || options.resourceVersion, () => {
    if (isWhole(options, selection) && isPlain(form)) {
      const { prefix, matches } = selection
      checkAsked(store, options)
      return wholeListAnswer(request.row, portionsOf(store, prefix), matches)
    }
    return pageAnswer(request.row, readPage(store, selection, options), form)
  })
}

/** Everything, as it stands now. */
function isWhole(options: ListOptions, { key }: Selection): boolean {
  const { limit, continueToken, resourceVersionMatch } = options
  const isNow = continueToken === '' && resourceVersionMatch !== 'Exact'
  return limit <= 0 && isNow && key === undefined
}

function isPlain({ output: { format, as, pretty } }: Form): boolean {
  return format === 'json' && as === undefined && !pretty
}

/** The revision that is asked for, if any: not one that is yet to come. */
function checkAsked(store: Store, { resourceVersion }: ListOptions): number {
  const asked = parseListRevision(resourceVersion)
  if (asked > store.revision) throw tooLargeRevision(asked, store.revision)
  return asked
}

/** Where a page begins and the state it is of; 0 for the newest. */
type Start = { atRevision: number; afterKey: string | undefined; isInconsistent: boolean }

export function readPage(store: Store, selection: Selection, options: ListOptions): Page {
  const start = startOf(store, selection, options)
  try {
    return collect(store, selection, Math.max(options.limit, 0), start)
  } catch (error) {
    if (error instanceof CompactedError) throw compacted(selection, options, start)
    if (error instanceof FutureRevisionError) {
      throw tooLargeRevision(start.atRevision, error.currentRevision)
    }
    throw error
  }
}

function startOf(store: Store, selection: Selection, options: ListOptions): Start {
  if (options.continueToken !== '') {
    if (parseListRevision(options.resourceVersion) > 0)
      throw badRequest('specifying resource version is not allowed when using continue')
    const { revision, afterKey } = decodeContinue(selection.prefix, options.continueToken)
    const isInconsistent = revision < 0
    return { atRevision: isInconsistent ? 0 : revision, afterKey, isInconsistent }
  }
  const asked = checkAsked(store, options)
  const isExact = options.resourceVersionMatch === 'Exact'
  return { atRevision: isExact ? asked : 0, afterKey: undefined, isInconsistent: false }
}

/** With a selector, a page is filled from as many reads of the store as it takes. */
function collect(store: Store, selection: Selection, limit: number, start: Start): Page {
  if (selection.key !== undefined) return single(store, selection, start)
  const entries: Entry[] = []
  let atRevision = start.atRevision
  let { afterKey } = start
  for (let size = limit; ; size = Math.min(size * 2, READ_ENTRIES_MAX)) {
    const read = store.list(selection.prefix, {
      ...(atRevision > 0 ? { atRevision } : {}),
      ...(size > 0 ? { limit: size } : {}),
      ...(afterKey === undefined ? {} : { afterKey }),
    })
    atRevision = read.revision
    afterKey = read.entries.at(-1)?.key ?? afterKey
    const filled = take(entries, read, selection, limit)
    if (filled !== undefined) {
      return pageAfter(entries, filled, read, { selection, atRevision })
    }
    if (!read.more) return { revision: atRevision, entries, continueToken: undefined }
  }
}

/** More than this at once would hold up others. */
const READ_ENTRIES_MAX = 10_000

/** The entry that filled the page, when it is full and something may follow. */
function take(into: Entry[], read: ListResult, selection: Selection, limit: number) {
  const { entries } = read
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!
    if (!selection.matches(entry)) continue
    into.push(entry)
    const isLast = i === entries.length - 1 && !read.more
    if (limit > 0 && into.length === limit && !isLast)
      return { entry, left: entries.length - 1 - i }
  }
  return undefined
}

function pageAfter(
  entries: Entry[],
  filled: { entry: Entry; left: number },
  read: ListResult,
  { selection, atRevision }: { selection: Selection; atRevision: number },
): Page {
  const continueToken = encodeContinue(selection.prefix, filled.entry.key, atRevision)
  if (!selection.isEverything) return { revision: atRevision, entries, continueToken }
  return { revision: atRevision, entries, continueToken, remaining: filled.left + read.remaining }
}

/** One object, found by its name. */
function single(store: Store, selection: Selection, start: Start): Page {
  const key = selection.key!
  if (start.atRevision === 0) {
    const entry = store.get(key)
    const entries = entry !== undefined && selection.matches(entry) ? [entry] : []
    return { revision: store.revision, entries, continueToken: undefined }
  }
  const read = store.list(key, { atRevision: start.atRevision })
  const entries = read.entries.filter((entry) => entry.key === key && selection.matches(entry))
  return { revision: read.revision, entries, continueToken: undefined }
}

const LIST_EXPIRED = 'The resourceVersion for the provided list is too old.'
const PAGE_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start' +
  ' a new list without the continue parameter, or use the continue token in this response to' +
  ' retrieve the remainder of the results. Continuing with the provided token results in an' +
  ' inconsistent list - objects that were created, modified, or deleted between the time the' +
  ' first chunk was returned and now may show up in the list.'

function compacted(selection: Selection, options: ListOptions, start: Start) {
  if (options.continueToken === '' || start.afterKey === undefined) return expired(LIST_EXPIRED)
  return expired(PAGE_EXPIRED, encodeContinue(selection.prefix, start.afterKey, -1))
}
