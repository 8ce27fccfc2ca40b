// An image as data: layers, configuration and manifest, addressed by digest as in the OCI format.

import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type TarEntry, tar } from './tar.ts'

export type ImageRecipe = {
  /** Full name with tag: kedge-test/busybox:1. */
  readonly name: string
  readonly layers: readonly (readonly TarEntry[])[]
  readonly config: {
    Env?: string[]
    Entrypoint?: string[]
    Cmd?: string[]
    WorkingDir?: string
    User?: string
    ExposedPorts?: Record<string, object>
    StopSignal?: string
    Volumes?: Record<string, object>
  }
}

export type Image = {
  readonly name: string
  readonly blobs: ReadonlyMap<string, Uint8Array>
  readonly manifest: { digest: string; bytes: Uint8Array }
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json'
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip'

/** Turns a recipe into blobs. The same recipe gives the same digests on every machine. */
export function makeImage(recipe: ImageRecipe): Image {
  const blobs = new Map<string, Uint8Array>()
  const put = (bytes: Uint8Array, mediaType: string) => {
    const digest = digestOf(bytes)
    blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const archives = recipe.layers.map((entries) => tar(entries))
  const layers = archives.map((bytes) => put(gzipSync(bytes, { level: 6 }), LAYER_TYPE))
  const config = put(
    json({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: recipe.config,
      rootfs: { type: 'layers', diff_ids: archives.map(digestOf) },
      history: recipe.layers.map(() => ({ created: '2026-01-01T00:00:00Z' })),
    }),
    CONFIG_TYPE,
  )
  const manifest = json({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers })
  const { digest } = put(manifest, MANIFEST_TYPE)
  return { name: recipe.name, blobs, manifest: { digest, bytes: manifest } }
}

/** One OCI archive with all images, as `ctr images import` and skopeo read it. */
export function ociArchive(images: readonly Image[]): Uint8Array {
  const blobs = new Map(images.flatMap((image) => [...image.blobs]))
  const manifests = images.map(({ name, manifest }) => ({
    mediaType: MANIFEST_TYPE,
    digest: manifest.digest,
    size: manifest.bytes.length,
    annotations: {
      'io.containerd.image.name': fullName(name),
      'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
    },
  }))
  return tar([
    { path: 'oci-layout', data: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', data: json({ schemaVersion: 2, manifests }) },
    { path: 'blobs/', folder: true },
    { path: 'blobs/sha256/', folder: true },
    ...[...blobs].map(([digest, data]) => ({ path: `blobs/${digest.replace(':', '/')}`, data })),
  ])
}

/** The same images in the format of `docker save`. */
export function dockerArchive(images: readonly Image[]): Uint8Array {
  const blobs = new Map(images.flatMap((image) => [...image.blobs]))
  const path = (digest: string) => `blobs/${digest.replace(':', '/')}`
  const manifest = images.map(({ name, manifest: { bytes } }) => {
    const { config, layers } = JSON.parse(Buffer.from(bytes).toString())
    return {
      Config: path(config.digest),
      RepoTags: [fullName(name)],
      Layers: layers.map((layer: { digest: string }) => path(layer.digest)),
    }
  })
  return tar([
    { path: 'manifest.json', data: json(manifest) },
    ...[...blobs].map(([digest, data]) => ({ path: path(digest), data })),
  ])
}

/** Names without a registry belong to docker.io, as everywhere. */
function fullName(name: string): string {
  return /^[^/]*[.:][^/]*\//.test(name) ? name : `docker.io/${name}`
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
