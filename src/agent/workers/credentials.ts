// Which user name and password a registry gets, from a pod's imagePullSecrets. Pure.

import type { Secret } from '../../api/schema/generated/types.ts'
import { own } from '../../lib/own.ts'
import type { PullCredentials } from '../../runtime/contract.ts'

type AuthEntry = { username?: string; password?: string; auth?: string }

const DOCKER_HUB = ['index.docker.io', 'docker.io', 'registry-1.docker.io']

/** No host name is longer (RFC 1035). */
const HOST_LETTERS_MAX = 253

/** The most specific first; empty when no secret speaks of the image's registry. */
export function credentialsFor(image: string, secrets: readonly Secret[]): PullCredentials[] {
  const { registry, repository } = splitImage(image)
  const found: { place: string; credentials: PullCredentials }[] = []
  for (const [key, entry] of secrets.flatMap(entriesOf)) {
    const place = placeOf(key)
    const credentials = decode(entry)
    if (credentials === undefined || !matches(place, registry, repository)) continue
    found.push({ place, credentials })
  }
  return found
    .toSorted((a, b) => b.place.length - a.place.length)
    .map(({ credentials }) => credentials)
}

/** Registry (with port) and repository path, as `docker.io` where the name says nothing. */
export function splitImage(image: string): { registry: string; repository: string } {
  const [name = ''] = image.split('@')
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost'
  const registry = isHost ? first : 'docker.io'
  const path = isHost ? name.slice(slash + 1) : name
  const repository = path.replace(/:[^/:]*$/, '')
  const isOfficial = registry === 'docker.io' && !repository.includes('/')
  return { registry, repository: isOfficial ? `library/${repository}` : repository }
}

function entriesOf({ type, data }: Secret): [string, AuthEntry][] {
  const key = type === 'kubernetes.io/dockercfg' ? '.dockercfg' : '.dockerconfigjson'
  const text = own(data, key)
  if (text === undefined) return []
  try {
    const config = JSON.parse(Buffer.from(text, 'base64').toString())
    return Object.entries((key === '.dockercfg' ? config : config?.auths) ?? {})
  } catch {
    // A broken secret is as good as none: the pull says whether it would have been needed.
    return []
  }
}

/** `https://index.docker.io/v1/` names a host; so do `quay.io/team` and `registry:5000`. */
function placeOf(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/v[12]\/?$/, '')
  return bare.replace(/\/$/, '')
}

function matches(place: string, registry: string, repository: string): boolean {
  const slash = place.indexOf('/')
  const host = slash < 0 ? place : place.slice(0, slash)
  const path = slash < 0 ? '' : place.slice(slash + 1)
  const isHub = DOCKER_HUB.includes(host) && DOCKER_HUB.includes(registry)
  return (isHub || matchesHost(host, registry)) && repository.startsWith(path)
}

/** `*.example.com` matches one label for each star; ports must be equal. */
function matchesHost(pattern: string, registry: string): boolean {
  const [patternHost = '', patternPort] = pattern.split(':')
  const [host = '', port] = registry.split(':')
  const patternLabels = patternHost.split('.')
  const labels = host.split('.')
  if (host.length > HOST_LETTERS_MAX) return false
  if (patternPort !== port || patternLabels.length !== labels.length) return false
  return patternLabels.every((label, i) => matchesLabel(label, labels[i]!))
}

/**
 * A star stands for any letters. Each star takes as few as it can, and only the last one is ever
 * made longer, so that no pattern costs more than its length times that of the label.
 */
function matchesLabel(pattern: string, label: string): boolean {
  let [p, l, star, resume] = [0, 0, -1, 0]
  while (l < label.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = l
    } else if (pattern[p] === label[l]) {
      p++
      l++
    } else if (star >= 0) {
      p = star + 1
      l = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

function decode({ username, password, auth }: AuthEntry): PullCredentials | undefined {
  if (username !== undefined && password !== undefined) return { username, password }
  const text = Buffer.from(auth ?? '', 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}
