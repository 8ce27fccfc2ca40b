// Base64 as Go's decoder takes it: padded, line breaks ignored, bits beyond the last byte too.

const VALID = /^[A-Za-z0-9+/]*={0,2}$/

/** The text as Go writes the same bytes, or undefined when it is not base64. */
export function canonicalBase64(text: string): string | undefined {
  const joined = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text
  if (joined.length % 4 !== 0 || !VALID.test(joined)) return undefined
  if (!joined.endsWith('=')) return joined
  const last = joined.slice(-4)
  const canonical = Buffer.from(last, 'base64').toString('base64')
  if (canonical.length !== 4) return undefined
  return last === canonical ? joined : joined.slice(0, -4) + canonical
}

/** Go's error for a text that canonicalBase64 refuses. */
export function base64Fault(text: string): string {
  return `illegal base64 data at input byte ${faultAt(text)}`
}

/**
 * Where Go stops: at a sign that does not belong, at padding in a wrong place, or so many signs
 * before the end as a last, incomplete group of four has.
 */
function faultAt(text: string): number {
  let inGroup = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!
    if (sign === '\n' || sign === '\r') continue
    if (/[A-Za-z0-9+/]/.test(sign)) {
      inGroup = (inGroup + 1) % 4
      continue
    }
    if (sign !== '=' || inGroup < 2) return at
    return faultInPadding(text, at, inGroup)
  }
  return text.length - inGroup
}

function faultInPadding(text: string, at: number, inGroup: number): number {
  const rest = text.slice(at + 1)
  const second = /^[\r\n]*=/.exec(rest)
  if (inGroup === 2 && second === null) {
    const more = /[^\r\n]/.exec(rest)
    return more === null ? text.length : at + more.index
  }
  const end = at + 1 + (inGroup === 2 ? second![0].length : 0)
  const garbage = /[^\r\n]/.exec(text.slice(end))
  return garbage === null ? text.length : end + garbage.index
}
