// Manifests, indexes and configurations of images as registries serve them. Pure.

import { createHash } from 'node:crypto'
import type { ImageConfig } from '../contract.ts'

export type Descriptor = {
  digest: string
  size: number
  mediaType?: string
  platform?: { os: string; architecture: string; variant?: string }
}

export type Manifest = { config: Descriptor; layers: Descriptor[] }

export type ImageDetails = {
  /** Digest of the configuration. */
  readonly id: string
  /** Names the unpacked layers in the snapshotter. */
  readonly chainId: string
  readonly sizeBytes: number
  readonly config: ImageConfig
}

/** What a registry served is not what it claims to be. */
export class ImageContentError extends Error {
  override readonly name = 'ImageContentError'
}

/** Of a manifest or an index, and of a configuration: what other runtimes allow. */
export const CONTENT_BYTES_MAX = 4 * 1024 * 1024
/** More than any file system can stack. */
const LAYERS_MAX = 512
const DIGEST = /^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/
const SIGNAL = /^([0-9]{1,2}|(SIG)?[A-Z][A-Z0-9]{1,9}([+-][0-9]{1,2})?)$/

/** The manifest itself, or the digest of the one for this machine when `text` is an index. */
export function parseManifest(text: string, architecture: string): Manifest | { digest: string } {
  const found = objectIn(parsed(text), 'manifest')
  if (found.manifests !== undefined) {
    const manifests = listIn(found.manifests, 'manifests').map(platformDescriptor)
    return { digest: choosePlatform(manifests, architecture) }
  }
  if (found.config === undefined || found.layers === undefined) {
    throw new ImageContentError('neither an image manifest nor an index of them')
  }
  const layers = listIn(found.layers, 'layers').map((one) => descriptor(one, 'layer'))
  return { config: descriptor(found.config, 'config'), layers }
}

export function imageDetails(manifest: Manifest, configText: string): ImageDetails {
  const found = objectIn(parsed(configText), 'image configuration')
  const config = objectIn(found.config ?? {}, 'config')
  const rootfs = objectIn(found.rootfs ?? {}, 'rootfs')
  const diffIds = listIn(rootfs.diff_ids ?? [], 'diff_ids').map((one) => digestIn(one, 'diff_ids'))
  const stopSignal = textIn(config.StopSignal ?? '', 'StopSignal')
  return {
    id: manifest.config.digest,
    chainId: chainIdOf(diffIds),
    sizeBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size),
    config: {
      user: textIn(config.User ?? '', 'User'),
      env: textsIn(config.Env ?? [], 'Env'),
      entrypoint: textsIn(config.Entrypoint ?? [], 'Entrypoint'),
      cmd: textsIn(config.Cmd ?? [], 'Cmd'),
      workingDir: textIn(config.WorkingDir ?? '', 'WorkingDir'),
      // As containerd: what is no signal is as good as none.
      stopSignal: SIGNAL.test(stopSignal) ? stopSignal : '',
      volumes: Object.keys(objectIn(config.Volumes ?? {}, 'Volumes')),
    },
  }
}

export function isDigest(text: string): boolean {
  return DIGEST.test(text)
}

type Json = Record<string, unknown>

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ImageContentError('is not JSON', { cause })
  }
}

function objectIn(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new ImageContentError(`${what} is not an object`)
}

function listIn(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new ImageContentError(`${what} is not a list`)
  if (value.length <= LAYERS_MAX) return value
  throw new ImageContentError(`${what} has more than ${LAYERS_MAX} entries`)
}

function textIn(value: unknown, what: string): string {
  if (typeof value === 'string' && !value.includes('\0')) return value
  throw new ImageContentError(`${what} is not a text`)
}

function textsIn(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw new ImageContentError(`${what} is not a list`)
  return value.map((one) => textIn(one, what))
}

function digestIn(value: unknown, what: string): string {
  if (typeof value === 'string' && isDigest(value)) return value
  throw new ImageContentError(`${what} has no valid digest`)
}

function descriptor(value: unknown, what: string): Descriptor {
  const { digest, size } = objectIn(value, what)
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw new ImageContentError(`${what} has no valid size`)
  }
  return { digest: digestIn(digest, what), size: size as number }
}

function platformDescriptor(value: unknown): Descriptor {
  const { platform } = objectIn(value, 'manifests')
  const plain = descriptor(value, 'manifests')
  if (platform === undefined) return plain
  const { os, architecture, variant } = objectIn(platform, 'platform')
  return {
    ...plain,
    platform: {
      os: textIn(os ?? '', 'platform'),
      architecture: textIn(architecture ?? '', 'platform'),
      ...(variant === undefined ? {} : { variant: textIn(variant, 'platform') }),
    },
  }
}

/** Image specification: each layer's id covers those below it. */
export function chainIdOf(diffIds: readonly string[]): string {
  const [first = '', ...rest] = diffIds
  return rest.reduce((chain, diff) => {
    const hash = createHash('sha256').update(`${chain} ${diff}`).digest('hex')
    return `sha256:${hash}`
  }, first)
}

/** Names of architectures: Bun's to those of images. */
export function imageArchitecture(arch: string): string {
  return arch === 'x64' ? 'amd64' : arch
}

function choosePlatform(manifests: readonly Descriptor[], architecture: string): string {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  )
  const chosen = fitting[0] ?? (manifests.length === 1 ? manifests[0] : undefined)
  if (chosen === undefined)
    throw new ImageContentError(`no match for platform linux/${architecture} in manifest`)
  return chosen.digest
}
