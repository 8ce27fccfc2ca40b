// What every answer carries, whatever it is about.

import { gzip } from 'node:zlib'
import { type Answer, type Call, isPush, type Push } from '../transport/call.ts'
import { pushZipped } from './zipped.ts'

/** Smaller bodies are not worth the work; upstream's number. */
const GZIP_BYTES_MIN = 128 * 1024
/** All warnings of one answer; where they are longer, each is cut and the last are left out. */
const WARNING_LETTERS_MAX = 4096
const WARNING_CUT_LETTERS = 256

export function finish(
  answer: Answer,
  call: Call,
  auditId: string,
  warnings: readonly string[],
): Answer | Promise<Answer> {
  const { headers } = answer
  headers['audit-id'] = auditId
  headers['cache-control'] ??= 'no-cache, private'
  if (warnings.length > 0) headers.warning = warningHeaders(warnings)
  if (!isBig(answer) || !acceptsGzip(call)) return answer
  return isPush(answer.body) ? zippedOnTheWay(answer, answer.body) : zipped(answer)
}

function isBig({ body }: Answer): boolean {
  if (isPush(body)) return body.isDocument === true
  return (typeof body === 'string' || body instanceof Uint8Array) && body.length > GZIP_BYTES_MIN
}

function acceptsGzip(call: Call): boolean {
  const accepted = call.header('accept-encoding')
  return accepted?.split(',').some((coding) => coding.trim() === 'gzip') ?? false
}

function zipped(answer: Answer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    gzip(answer.body as string | Uint8Array, { level: 1 }, (error, bytes) => {
      if (error) return reject(error)
      answer.headers['content-encoding'] = 'gzip'
      answer.headers.vary = 'Accept-Encoding'
      answer.body = bytes
      resolve(answer)
    })
  })
}

function zippedOnTheWay(answer: Answer, body: Push): Answer {
  answer.headers['content-encoding'] = 'gzip'
  answer.headers.vary = 'Accept-Encoding'
  answer.body = { push: (sink) => pushZipped(body, sink), isDocument: true }
  return answer
}

/** One value per warning: `299 - "text"`, without repetition. */
function warningHeaders(warnings: readonly string[]): string[] {
  const texts = [...new Set(warnings)]
  const letters = texts.reduce((sum, text) => sum + text.length, 0)
  const shown = letters > WARNING_LETTERS_MAX ? cutWarnings(texts) : texts
  return shown.map((text) => `299 - ${quoted(text)}`)
}

function cutWarnings(texts: readonly string[]): string[] {
  let room = WARNING_LETTERS_MAX
  const cut: string[] = []
  for (const text of texts) {
    const short = text.slice(0, WARNING_CUT_LETTERS)
    room -= short.length
    if (room < 0) break
    cut.push(short)
  }
  return cut
}

function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they may not stand in a header.
  const plain = text.replace(/[\u0000-\u001f\u007f]+/g, ' ')
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
