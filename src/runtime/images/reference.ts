// Image names: what people write, and the full form that registries and containerd know. Pure.

import { ContainerError } from '../../api/pod/container-error.ts'

export type Reference = {
  /** Host of the registry, with its port: docker.io, 127.0.0.1:5000. */
  readonly registry: string
  /** Path within the registry: library/busybox. */
  readonly path: string
  readonly tag: string | undefined
  /** sha256:… */
  readonly digest: string | undefined
}

const NAME_CHARS_MAX = 255
/** What is longer is no name, however it goes on. */
const IMAGE_CHARS_MAX = 4096
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const HOST = new RegExp(`^(?:\\[[0-9a-fA-F:]+\\]|${LABEL}(?:\\.${LABEL})*)(?::[0-9]+)?$`)
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/

/**
 * A name without tag or digest is :latest. Throws ContainerError InvalidImageName in upstream's
 * words.
 */
export function parseReference(image: string): Reference {
  if (image.length > IMAGE_CHARS_MAX) throw invalid(image)
  const [name = '', digest, ...more] = image.split('@')
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) throw invalid(image)
  const colon = name.lastIndexOf(':')
  const hasTag = colon > name.lastIndexOf('/')
  const tag = hasTag ? name.slice(colon + 1) : undefined
  if (tag !== undefined && !TAG.test(tag)) throw invalid(image)
  const { registry, path } = splitRegistry(hasTag ? name.slice(0, colon) : name)
  if (!HOST.test(registry)) throw invalid(image)
  if (path !== path.toLowerCase()) throw invalid(image, 'repository name must be lowercase')
  if (!path.split('/').every((part) => COMPONENT.test(part))) throw invalid(image)
  if (registry.length + path.length >= NAME_CHARS_MAX) {
    throw invalid(image, `repository name must not be more than ${NAME_CHARS_MAX} characters`)
  }
  const isBare = tag === undefined && digest === undefined
  return { registry, path, tag: isBare ? 'latest' : tag, digest }
}

/** As containerd stores it; a digest wins over a tag beside it. */
export function formatReference({ registry, path, tag, digest }: Reference): string {
  return digest === undefined ? `${registry}/${path}:${tag}` : `${registry}/${path}@${digest}`
}

/** A digest of an image's configuration, as statuses show it: `sha256:…` or its 64 digits. */
export function imageIdOf(image: string): string | undefined {
  const match = /^(?:sha256:)?([0-9a-f]{64})$/.exec(image)
  return match === null ? undefined : `sha256:${match[1]}`
}

/** True for registries on this machine, which rarely have certificates. */
export function isLocalRegistry(registry: string): boolean {
  const host = registry.replace(/:\d+$/, '')
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** The part before the first slash is a host if it looks like one; otherwise Docker's registry. */
function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  if (!isHost) return dockerHub(name)
  const path = name.slice(slash + 1)
  return first === 'index.docker.io' || first === 'docker.io'
    ? dockerHub(path)
    : { registry: first, path }
}

function dockerHub(path: string): { registry: string; path: string } {
  return { registry: 'docker.io', path: path.includes('/') ? path : `library/${path}` }
}

function invalid(image: string, why?: string): ContainerError {
  const reason = `invalid reference format${why === undefined ? '' : `: ${why}`}`
  const problem = `couldn't parse image name "${image}": ${reason}`
  const message = `Failed to apply default image tag "${image}": ${problem}`
  return new ContainerError('InvalidImageName', message)
}
