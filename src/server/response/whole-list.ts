// A list without a limit as JSON: sent as it is read when it is large, so that it is never held as
// a whole, and whoever else asks for something meanwhile gets it.

import { type AnyRow, groupVersionOf } from '../../api/resource.ts'
import type { Entry, ListResult } from '../../store/store.ts'
import { nextTurn } from '../../store/turn.ts'
import { MEDIA_TYPES } from '../request/negotiation.ts'
import { itemText } from '../storage/stored.ts'
import type { Answer, Sink } from '../transport/call.ts'

/** What fits into this many characters is sent in one piece, with its length. */
const PIECE_CHARS_MAX = 512 * 1024

const encoder = new TextEncoder()

/** The first step of `portions` is taken at once, so that its errors become answers. */
export function wholeListAnswer(
  row: AnyRow,
  portions: Iterator<ListResult, void>,
  matches: (entry: Entry) => boolean,
): Answer {
  const writer = new ItemWriter(row, matches)
  let text = ''
  let step = portions.next()
  if (!step.done) text = headOf(row, step.value.revision)
  for (; !step.done; step = portions.next()) {
    text += writer.itemsOf(step.value)
    if (text.length > PIECE_CHARS_MAX) {
      const begun = text
      const push = (sink: Sink) => pushRest(begun, portions, writer, sink)
      const headers = { 'content-type': MEDIA_TYPES.json, 'transfer-encoding': 'chunked' }
      return { code: 200, headers, body: { push, isDocument: true } }
    }
  }
  return { code: 200, headers: { 'content-type': MEDIA_TYPES.json }, body: text + TAIL }
}

const TAIL = ']}\n'

function headOf(row: AnyRow, revision: number): string {
  const kind = `"kind":"${row.listKind}","apiVersion":"${groupVersionOf(row)}"`
  const more = row.custom ? '"continue":"",' : ''
  return `{${kind},"metadata":{${more}"resourceVersion":"${revision}"},"items":[`
}

/** The texts of the items that match, with the commas between them. */
class ItemWriter {
  readonly #row: AnyRow
  readonly #matches: (entry: Entry) => boolean
  #isFirst = true

  constructor(row: AnyRow, matches: (entry: Entry) => boolean) {
    this.#row = row
    this.#matches = matches
  }

  itemsOf({ entries }: ListResult): string {
    let text = ''
    for (const entry of entries) {
      if (!this.#matches(entry)) continue
      text += this.#isFirst ? itemText(this.#row, entry) : `,${itemText(this.#row, entry)}`
      this.#isFirst = false
    }
    return text
  }
}

async function pushRest(
  begun: string,
  portions: Iterator<ListResult, void>,
  writer: ItemWriter,
  sink: Sink,
): Promise<void> {
  await write(sink, begun)
  for (let step = portions.next(); !step.done; step = portions.next()) {
    if (sink.signal.aborted) return
    const text = writer.itemsOf(step.value)
    if (text !== '') await write(sink, text)
    await nextTurn()
  }
  await write(sink, TAIL)
}

async function write(sink: Sink, text: string): Promise<void> {
  if (!sink.write(encoder.encode(text))) await sink.drained()
}
