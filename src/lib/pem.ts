// PEM (RFC 7468) as Go's encoding/pem reads it, in one pass over the lines: a hostile text may hold
// as many beginnings without an end as it likes.

export type PemBlock = {
  label: string
  /** Lines like `Proc-Type: 4,ENCRYPTED` stand before the body. */
  hasHeaders: boolean
  bytes: Buffer<ArrayBuffer>
}

const BEGIN = '-----BEGIN '
const END = '-----END '
const DASHES = '-----'
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** The blocks of a text, in order; what looks like one and is none is passed over. */
export function* pemBlocks(text: string): Generator<PemBlock, void> {
  let label: string | undefined
  let headers = 0
  let body: string[] = []
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at)
    const lineEnd = newline < 0 ? text.length : newline
    const line = text.slice(at, lineEnd).trimEnd()
    at = lineEnd + 1
    const begins = labelIn(line, BEGIN)
    if (begins !== undefined) {
      label = begins
      headers = 0
      body = []
    } else if (label === undefined) {
      // Text between blocks.
    } else if (line.startsWith(END)) {
      const bytes = labelIn(line, END) === label ? decoded(body) : undefined
      if (bytes !== undefined) yield { label, hasHeaders: headers > 0, bytes }
      label = undefined
    } else if (body.length === 0 && line.includes(':')) headers++
    else if (line !== '') body.push(line)
  }
}

/** The first block, which is what most callers want to be of one label. */
export function firstPemBlock(text: string): PemBlock | undefined {
  return pemBlocks(text).next().value ?? undefined
}

function labelIn(line: string, start: string): string | undefined {
  if (!line.startsWith(start) || !line.endsWith(DASHES)) return undefined
  return line.length < start.length + DASHES.length
    ? undefined
    : line.slice(start.length, -DASHES.length)
}

function decoded(lines: readonly string[]): Buffer<ArrayBuffer> | undefined {
  const text = lines.join('').replace(/\s+/g, '')
  return text.length % 4 === 0 && BASE64.test(text) ? Buffer.from(text, 'base64') : undefined
}
