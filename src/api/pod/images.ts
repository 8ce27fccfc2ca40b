// Image references, as far as defaults need them.

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
/** A name, a tag and a digest of the lengths that they may have. */
const LETTERS_MAX = 512
const IDENTIFIER = /^[a-f0-9]{64}$/

/** What is pulled each time: an image without tag and digest, or with the tag `latest`. */
export function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  return imageTag(image ?? '') === 'latest' ? 'Always' : 'IfNotPresent'
}

/** `latest` when neither tag nor digest is given; empty for what is no image name. */
export function imageTag(image: string): string {
  if (image.length > LETTERS_MAX || IDENTIFIER.test(image)) return ''
  const [named = '', digest, ...rest] = image.split('@')
  if (rest.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return ''
  const { name, tag } = splitTag(named)
  if (!isName(name) || (tag !== undefined && !TAG.test(tag))) return ''
  return tag ?? (digest === undefined ? 'latest' : '')
}

function splitTag(named: string): { name: string; tag: string | undefined } {
  const colon = named.lastIndexOf(':')
  if (colon <= named.lastIndexOf('/')) return { name: named, tag: undefined }
  return { name: named.slice(0, colon), tag: named.slice(colon + 1) }
}

function isName(name: string): boolean {
  const parts = name.split('/')
  const isDomain = parts.length > 1 && looksLikeDomain(parts[0]!)
  if (isDomain && !DOMAIN.test(parts.shift()!)) return false
  return parts.every((part) => PATH_PART.test(part))
}

function looksLikeDomain(part: string): boolean {
  return /[.:]/.test(part) || part === 'localhost' || part.toLowerCase() !== part
}
