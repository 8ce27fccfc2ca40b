// Links in what a proxied pod answers, so that they lead through the proxy too.
//
//   /rewriteme  ─►  /api/v1/namespaces/d/pods/p/proxy/rewriteme
//
// Only links from the root of the host are changed: others lead right by themselves, or elsewhere.

const ATTRIBUTES = [
  ...['href', 'src', 'action', 'cite', 'background', 'codebase', 'data', 'formaction', 'icon'],
  ...['longdesc', 'manifest', 'poster', 'profile', 'usemap', 'classid'],
]
const TAG = /<[a-zA-Z][^>]*>/g
const LINK = new RegExp(`(\\s(?:${ATTRIBUTES.join('|')})\\s*=\\s*)("|')(/(?!/)[^"']*)\\2`, 'gi')

/** The part of a request's path that a proxied path is put behind. */
export function proxyPrefix(path: string, rest: string): string {
  const prefix = rest !== '' && path.endsWith(rest) ? path.slice(0, -rest.length) : path
  return prefix.replace(/\/$/, '')
}

export function rewriteHtml(html: string, prefix: string): string {
  const rewritten = (whole: string, before: string, quote: string, link: string) =>
    link.startsWith(`${prefix}/`) ? whole : `${before}${quote}${prefix}${link}${quote}`
  return html.replace(TAG, (tag) => tag.replace(LINK, rewritten))
}

/** Where a redirect leads: on the same host, from its root, it stays behind the proxy. */
export function rewriteLocation(location: string, host: string, prefix: string): string {
  const ours = [`http://${host}`, `https://${host}`].find((root) => location.startsWith(root))
  const path = ours === undefined ? location : location.slice(ours.length) || '/'
  if (!path.startsWith('/') || path.startsWith('//') || path.startsWith(`${prefix}/`))
    return location
  return `${prefix}${path}`
}
