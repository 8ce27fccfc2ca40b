// Links in what a proxied pod answers, so that they lead through the proxy too.
//
//   /rewriteme  ─►  /api/v1/namespaces/d/pods/p/proxy/rewriteme
//
// Only links from the root of the host are changed: others lead right by themselves, or elsewhere.
// A page is rewritten while it passes: what is held of it is one tag, and every byte is looked at
// once, however the page is made.

const ATTRIBUTES = [
  ...['href', 'src', 'action', 'cite', 'background', 'codebase', 'data', 'formaction', 'icon'],
  ...['longdesc', 'manifest', 'poster', 'profile', 'usemap', 'classid'],
]
const LINK = new RegExp(`(\\s(?:${ATTRIBUTES.join('|')})\\s*=\\s*)("|')(/(?!/)[^"']*)\\2`, 'gi')
/** A tag that is longer is none that anybody wrote: it passes as it is. */
const TAG_CHARS_MAX = 64 * 1024

/** The part of a request's path that a proxied path is put behind. */
export function proxyPrefix(path: string, rest: string): string {
  const prefix = rest !== '' && path.endsWith(rest) ? path.slice(0, -rest.length) : path
  return prefix.replace(/\/$/, '')
}

/** A page with its links led through the proxy, in any encoding that has ASCII in it. */
export function rewriteHtml(
  page: ReadableStream<Uint8Array>,
  prefix: string,
): ReadableStream<Uint8Array> {
  const html = new HtmlRewriter(prefix)
  return page.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, controller) => {
        const text = html.push(Buffer.from(bytes).toString('latin1'))
        if (text !== '') controller.enqueue(Buffer.from(text, 'latin1'))
      },
      flush: (controller) => {
        const text = html.end()
        if (text !== '') controller.enqueue(Buffer.from(text, 'latin1'))
      },
    }),
  )
}

export class HtmlRewriter {
  readonly #prefix: string
  /** A tag whose end has not come yet. */
  #pieces: string[] = []
  #heldChars = 0

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** The page so far, but for what has been given out before and a tag that is not complete. */
  push(text: string): string {
    const out: string[] = []
    let at = 0
    if (this.#heldChars > 0) {
      const end = text.indexOf('>')
      if (end < 0) return this.#hold(text)
      at = end + 1
      this.#pieces.push(text.slice(0, at))
      out.push(this.#rewriteTag(this.#pieces.join('')))
      this.#release()
    }
    for (;;) {
      const start = text.indexOf('<', at)
      if (start < 0) break
      out.push(text.slice(at, start))
      const end = text.indexOf('>', start)
      if (end < 0) return out.join('') + this.#hold(text.slice(start))
      out.push(this.#rewriteTag(text.slice(start, end + 1)))
      at = end + 1
    }
    out.push(text.slice(at))
    return out.join('')
  }

  /** What is left at the end of the page. */
  end(): string {
    const rest = this.#pieces.join('')
    this.#release()
    return rest
  }

  #hold(text: string): string {
    this.#pieces.push(text)
    this.#heldChars += text.length
    return this.#heldChars > TAG_CHARS_MAX ? this.end() : ''
  }

  #release(): void {
    this.#pieces = []
    this.#heldChars = 0
  }

  #rewriteTag(tag: string): string {
    if (!/^<[a-zA-Z]/.test(tag)) return tag
    const prefix = this.#prefix
    return tag.replace(LINK, (whole, before: string, quote: string, link: string) =>
      link.startsWith(`${prefix}/`) ? whole : `${before}${quote}${prefix}${link}${quote}`,
    )
  }
}

/** Where a redirect leads: on the same host, from its root, it stays behind the proxy. */
export function rewriteLocation(location: string, host: string, prefix: string): string {
  const ours = [`http://${host}`, `https://${host}`].find((root) => location.startsWith(root))
  const path = ours === undefined ? location : location.slice(ours.length) || '/'
  if (!path.startsWith('/') || path.startsWith('//') || path.startsWith(`${prefix}/`))
    return location
  return `${prefix}${path}`
}
