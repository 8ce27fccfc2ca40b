// Header blocks of SPDY/3: name and value pairs with lengths, in one zlib stream per direction that
// begins with a dictionary both sides know (SPDY Protocol Draft 3.1, section 2.6.10).

import { constants, createInflate } from 'node:zlib'

/** Parts of the dictionary that stand behind their length. */
const NAMES = [
  ...['options', 'head', 'post', 'put', 'delete', 'trace', 'accept', 'accept-charset'],
  ...['accept-encoding', 'accept-language', 'accept-ranges', 'age', 'allow', 'authorization'],
  ...['cache-control', 'connection', 'content-base', 'content-encoding', 'content-language'],
  ...['content-length', 'content-location', 'content-md5', 'content-range', 'content-type'],
  ...['date', 'etag', 'expect', 'expires', 'from', 'host', 'if-match', 'if-modified-since'],
  ...['if-none-match', 'if-range', 'if-unmodified-since', 'last-modified', 'location'],
  ...['max-forwards', 'pragma', 'proxy-authenticate', 'proxy-authorization', 'range', 'referer'],
  ...['retry-after', 'server', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'user-agent'],
  ...['vary', 'via', 'warning', 'www-authenticate', 'method', 'get', 'status', '200 OK'],
  ...['version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin'],
]
const WORDS = [
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request',
  '401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented',
  '503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, ',
  'Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,',
  'application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,',
  'sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
]

function dictionary(): Buffer {
  const parts = NAMES.flatMap((name) => [lengthOf(name.length), Buffer.from(name)])
  return Buffer.concat([...parts, Buffer.from(WORDS.join(''))])
}

const lengthOf = (length: number) => Buffer.from([0, 0, length >> 8, length & 255])

/** Far more than any client of ours sends. */
const BLOCK_BYTES_MAX = 64 * 1024

/** Reads the blocks of one direction, in their order. */
export class HeaderReader {
  readonly #inflate = createInflate({
    dictionary: dictionary(),
    finishFlush: constants.Z_SYNC_FLUSH,
  })
  #chunks: Buffer[] = []
  #bytes = 0
  #failure: Error | undefined
  #failed: (() => void) | undefined

  constructor() {
    this.#inflate.on('error', (error) => this.#fail(error))
    // Taken as it comes: it waits with the rest of a block until there is room.
    this.#inflate.on('readable', () => this.#take())
  }

  /** Names in lower case. */
  async read(block: Uint8Array): Promise<Map<string, string>> {
    if (this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#failed = resolve
        this.#inflate.write(block, () => resolve())
      })
      this.#take()
    }
    if (this.#failure !== undefined) throw this.#failure
    const bytes = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#bytes = 0
    return parseBlock(bytes)
  }

  close(): void {
    this.#inflate.destroy()
  }

  #take(): void {
    while (this.#failure === undefined) {
      const chunk = this.#inflate.read() as Buffer | null
      if (chunk === null) return
      this.#chunks.push(chunk)
      this.#bytes += chunk.byteLength
      if (this.#bytes > BLOCK_BYTES_MAX) this.#fail(new Error('header block is too long'))
    }
  }

  #fail(reason: Error): void {
    this.#failure ??= reason
    this.#chunks = []
    this.#inflate.destroy()
    this.#failed?.()
  }
}

function parseBlock(block: Buffer): Map<string, string> {
  const headers = new Map<string, string>()
  let offset = 0
  const number = () => {
    if (offset + 4 > block.byteLength) throw new Error('malformed header block')
    offset += 4
    return block.readUInt32BE(offset - 4)
  }
  const text = () => {
    const end = number() + offset
    if (end > block.byteLength) throw new Error('malformed header block')
    const start = offset
    offset = end
    return block.toString('latin1', start, end)
  }
  for (let count = number(); count > 0; count--) {
    const name = text().toLowerCase()
    headers.set(name, text())
  }
  return headers
}

/**
 * Writes blocks without headers, which is all that our answers need. Nothing is compressed: deflate
 * also has blocks that hold their bytes as they are.
 */
export class EmptyHeaderWriter {
  #started = false

  next(): Uint8Array {
    // BTYPE 0, then the length and its complement, then "no headers".
    const stored = [0, 4, 0, 251, 255, 0, 0, 0, 0]
    // Go's reader hands out what it has read when it meets an empty block, as a flush makes one.
    const flush = [0, 0, 0, 255, 255]
    const start = this.#started ? [] : [0x78, 0x01]
    this.#started = true
    return Buffer.from([...start, ...stored, ...flush])
  }
}
