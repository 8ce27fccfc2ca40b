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

/** The manifest itself, or the digest of the one for this machine when `text` is an index. */
export function parseManifest(text: string, architecture: string): Manifest | { digest: string } {
  const found: { manifests?: Descriptor[] } & Partial<Manifest> = JSON.parse(text)
  if (found.manifests !== undefined)
    return { digest: choosePlatform(found.manifests, architecture) }
  if (found.config === undefined || found.layers === undefined) {
    throw new Error('neither an image manifest nor an index of them')
  }
  return { config: found.config, layers: found.layers }
}

export function imageDetails(manifest: Manifest, configText: string): ImageDetails {
  const found = JSON.parse(configText)
  const config = found.config ?? {}
  return {
    id: manifest.config.digest,
    chainId: chainIdOf(found.rootfs?.diff_ids ?? []),
    sizeBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size),
    config: {
      user: config.User ?? '',
      env: config.Env ?? [],
      entrypoint: config.Entrypoint ?? [],
      cmd: config.Cmd ?? [],
      workingDir: config.WorkingDir ?? '',
      stopSignal: config.StopSignal ?? '',
      volumes: Object.keys(config.Volumes ?? {}),
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
    throw new Error(`no match for platform linux/${architecture} in manifest`)
  return chosen.digest
}
