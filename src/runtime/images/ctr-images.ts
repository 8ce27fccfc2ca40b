// Images through containerd's command line.
//
// Names and digests are kept in memory: `find` is on the way of every container start. Whoever
// follows containerd's events calls `markStale` when an image came or went behind our back.

import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerError } from '../../api/pod/container-error.ts'
import { orAbort } from '../../lib/abort.ts'
import { writeFileAtomic } from '../../lib/files.ts'
import type { PtyStart } from '../../lib/linux/pty.ts'
import { TooMuchOutput } from '../../lib/process.ts'
import type { ImageSeen, ImageStore, PullCredentials } from '../contract.ts'
import type { Ctr } from '../ctr.ts'
import { CtrError, parseTable, plainMessage } from '../ctr.ts'
import {
  CONTENT_BYTES_MAX,
  ImageContentError,
  type ImageDetails,
  imageDetails,
  isDigest,
  parseManifest,
} from './image-content.ts'
import { formatReference, imageIdOf, parseReference } from './reference.ts'
import { NO_REGISTRIES, type PullAttempt, planPull, type Registries } from './registries.ts'

export type CtrImagesOptions = {
  ctr: Ctr
  /** For passwords: ctr asks for them, so that they do not show among the arguments. */
  pty: PtyStart
  /** amd64, arm64, … */
  architecture: string
  /** Mirrors, certificates and accounts. Default: none. */
  registries?: Registries
  /** Where we tell ctr of an endpoint, in containerd's format; made when it is needed. */
  hostsDir: string
}

type SharedPull = { result: Promise<ImageSeen>; stop: AbortController; waiterCount: number }

export class CtrImages implements ImageStore {
  readonly #options: CtrImagesOptions
  /** Digest of manifest or index by full name; undefined until it is read (again). */
  #names: Map<string, string> | undefined
  /** Content never changes under its digest. */
  readonly #details = new Map<string, Promise<ImageDetails>>()
  readonly #pulls = new Map<string, SharedPull>()

  constructor(options: CtrImagesOptions) {
    this.#options = options
  }

  /** What is known of names may be out of date. */
  markStale(): void {
    this.#names = undefined
  }

  async find(image: string, signal: AbortSignal): Promise<ImageSeen | undefined> {
    const names = await this.#read(signal)
    const id = imageIdOf(image)
    if (id !== undefined) return this.#findById(id, signal)
    const reference = parseReference(image)
    const name = formatReference(reference)
    const digest = names.get(name) ?? digestIn(names, repositoryOf(name), reference.digest)
    return digest === undefined ? undefined : this.#seen(name, digest, signal)
  }

  /** The chain of unpacked layers of an image that is here. */
  async chainOf(image: ImageSeen, signal: AbortSignal): Promise<string> {
    const digest = (await this.#read(signal)).get(image.name)
    if (digest === undefined) {
      throw new ContainerError('CreateContainerError', `image "${image.name}": not found`)
    }
    return (await this.#detailsOf(digest, signal)).chainId
  }

  /** The chains of all images that are here. */
  async chains(signal: AbortSignal): Promise<Set<string>> {
    const chains = new Set<string>()
    for (const digest of new Set((await this.#read(signal)).values())) {
      const details = await this.#detailsOf(digest, signal).catch(() => undefined) // Half removed.
      if (details !== undefined) chains.add(details.chainId)
    }
    return chains
  }

  /** Equal pulls share one; it goes on while anyone waits for it. */
  async pull(
    image: string,
    credentials: readonly PullCredentials[],
    signal: AbortSignal,
  ): Promise<ImageSeen> {
    const name = formatReference(parseReference(image))
    const key = JSON.stringify([name, credentials])
    const shared = this.#pulls.get(key) ?? this.#startPull(key, name, credentials)
    shared.waiterCount++
    try {
      return await orAbort(shared.result, signal)
    } finally {
      if (--shared.waiterCount === 0) shared.stop.abort(signal.reason)
    }
  }

  #startPull(key: string, name: string, credentials: readonly PullCredentials[]): SharedPull {
    const stop = new AbortController()
    const result = this.#pullWithAny(name, credentials, stop.signal).finally(() =>
      this.#pulls.delete(key),
    )
    result.catch(() => {}) // Every waiter sees the failure, unless all of them have left.
    const shared = { result, stop, waiterCount: 0 }
    this.#pulls.set(key, shared)
    return shared
  }

  async list(signal: AbortSignal): Promise<readonly ImageSeen[]> {
    const names = await this.#read(signal)
    const images = new Map<string, ImageSeen>()
    for (const [name, digest] of names) {
      const seen = await this.#seen(name, digest, signal).catch(() => undefined) // Half removed.
      if (seen !== undefined && !images.has(seen.id)) images.set(seen.id, seen)
    }
    return [...images.values()]
  }

  async remove(image: string, signal: AbortSignal): Promise<void> {
    const seen = await this.find(image, signal)
    if (seen === undefined) return
    const isId = imageIdOf(image) !== undefined
    const gone = isId ? [...seen.repoTags, ...seen.repoDigests] : [seen.name]
    const known = gone.filter((name) => this.#names?.has(name))
    await this.#options.ctr.run(['images', 'rm', ...known], signal)
    this.markStale()
  }

  async import(archivePath: string, signal: AbortSignal): Promise<readonly string[]> {
    const before = await this.#read(signal)
    const output = await this.#options.ctr.run(['images', 'import', archivePath], signal)
    this.markStale()
    const after = await this.#read(signal)
    const brought = importedDigests(output)
    return [...after]
      .filter(([name, digest]) => before.get(name) !== digest || brought.has(digest))
      .map(([name]) => name)
  }

  async #read(signal: AbortSignal): Promise<Map<string, string>> {
    if (this.#names !== undefined) return this.#names
    const rows = parseTable(await this.#options.ctr.run(['images', 'ls'], signal))
    // A name may hold anything, line ends too: a row of a table is no more than a claim.
    const names = new Map(
      rows.flatMap(({ REF = '', DIGEST = '' }) => (isDigest(DIGEST) ? [[REF, DIGEST]] : [])),
    )
    this.#names = names
    return names
  }

  async #findById(id: string, signal: AbortSignal): Promise<ImageSeen | undefined> {
    for (const [name, digest] of await this.#read(signal)) {
      const details = await this.#detailsOf(digest, signal).catch(() => undefined) // Half removed.
      if (details?.id === id) return this.#seen(name, digest, signal)
    }
    return undefined
  }

  async #seen(name: string, digest: string, signal: AbortSignal): Promise<ImageSeen> {
    const details = await this.#detailsOf(digest, signal).catch((error) => {
      throw inspectError(name, error)
    })
    const { id, sizeBytes, config } = details
    const names = await this.#read(signal)
    const same = [...names].filter(([, one]) => one === digest).map(([one]) => one)
    const ofRepository = same.find((one) => repositoryOf(one) === repositoryOf(name))
    const own = names.has(name) ? name : (ofRepository ?? same[0]!)
    // The repository that was asked for comes first: statuses show the first one.
    const repositories = [own, ...same].map(repositoryOf)
    return {
      id,
      name: own,
      repoTags: same.filter((one) => !one.includes('@')),
      repoDigests: [...new Set(repositories)].map((repository) => `${repository}@${digest}`),
      sizeBytes,
      config,
    }
  }

  #detailsOf(digest: string, signal: AbortSignal): Promise<ImageDetails> {
    const known = this.#details.get(digest)
    if (known !== undefined) return known
    const reading = this.#readDetails(digest, signal)
    this.#details.set(digest, reading)
    reading.catch(() => this.#details.delete(digest)) // The caller sees the failure.
    return reading
  }

  async #readDetails(digest: string, signal: AbortSignal): Promise<ImageDetails> {
    const { architecture, ctr } = this.#options
    const limit = { outputBytesMax: CONTENT_BYTES_MAX }
    const get = (one: string) => ctr.run(['content', 'get', one], signal, limit)
    let manifest = parseManifest(await get(digest), architecture)
    if ('digest' in manifest) manifest = parseManifest(await get(manifest.digest), architecture)
    if ('digest' in manifest) throw new ImageContentError('is an index of indexes')
    return imageDetails(manifest, await get(manifest.config.digest))
  }

  /** Each place and account in turn; when none gives it, the error says what each of them said. */
  async #pullWithAny(
    name: string,
    credentials: readonly PullCredentials[],
    signal: AbortSignal,
  ): Promise<ImageSeen> {
    const attempts = planPull(name, credentials, this.#options.registries ?? NO_REGISTRIES)
    const isOnePlace = attempts.every(({ from }) => from === attempts[0]!.from)
    const failures = new Set<string>()
    for (const attempt of attempts) {
      const place = isOnePlace ? '' : `${attempt.from}: `
      try {
        await this.#pullOnce(name, attempt, signal)
        this.markStale()
        const seen = await this.find(name, signal)
        if (seen !== undefined) return seen
        failures.add(`${place}the image is gone again`)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof PullError || error instanceof CtrError)) throw error
        failures.add(`${place}${error.message}`)
      }
    }
    const failure = [...failures].join('; ')
    const message = `failed to pull and unpack image "${name}": ${failure}`
    throw new ContainerError('ErrImagePull', message)
  }

  async #pullOnce(name: string, attempt: PullAttempt, signal: AbortSignal): Promise<void> {
    const { ctr } = this.#options
    const flags = [
      ...(attempt.isPlain ? ['--plain-http'] : []),
      ...(attempt.hostsFile === undefined
        ? []
        : ['--hosts-dir', await this.#hostsFolder(attempt.hostsFile)]),
    ]
    const wasHere = (await this.#read(signal)).has(attempt.name)
    const { credentials } = attempt
    if (credentials === undefined) {
      await ctr.run(['images', 'pull', ...flags, attempt.name], signal)
    } else {
      const user = ['--user', credentials.username]
      const argv = ctr.argv(['images', 'pull', ...flags, ...user, attempt.name])
      await this.#pullInPty(argv, credentials.password, signal)
    }
    if (attempt.name === name) return
    await ctr.run(['images', 'tag', '--force', attempt.name, name], signal)
    if (!wasHere) await ctr.run(['images', 'rm', attempt.name], signal)
  }

  /** Equal texts share a folder; there are no more than endpoints in the configuration. */
  async #hostsFolder(text: string): Promise<string> {
    const id = createHash('sha256').update(text).digest('hex').slice(0, HOSTS_ID_CHARS)
    const folder = join(this.#options.hostsDir, id)
    // Whatever the registry is called that the name says: this endpoint stands in for it.
    await mkdir(join(folder, '_default'), { recursive: true })
    await writeFileAtomic(join(folder, '_default', 'hosts.toml'), text)
    return folder
  }

  async #pullInPty(argv: readonly string[], password: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let output = ''
    let isAsked = false
    const child = this.#options.pty(argv, (bytes) => {
      // The progress display repeats itself without end; only the last words matter.
      output = (output + Buffer.from(bytes).toString()).slice(-OUTPUT_CHARS_MAX)
      if (isAsked || !output.includes('Password:')) return
      isAsked = true
      child.write(Buffer.from(`${password}\n`))
    })
    const onAbort = () => child.kill('SIGKILL')
    signal.addEventListener('abort', onAbort, { once: true })
    const code = await child.exited.finally(() => signal.removeEventListener('abort', onAbort))
    signal.throwIfAborted()
    if (code !== 0) throw new PullError(plainMessage(terminalText(output)))
  }
}

/** In the kubelet's words when the image is at fault. */
function inspectError(name: string, error: unknown): unknown {
  if (!(error instanceof ImageContentError || error instanceof TooMuchOutput)) return error
  const message = `Failed to inspect image "${name}": ${error.message}`
  return new ContainerError('ImageInspectError', message, { cause: error })
}

/** `127.0.0.1:5000/web` of `127.0.0.1:5000/web:1` or `127.0.0.1:5000/web@sha256:…`. */
function repositoryOf(name: string): string {
  return name.replace(/[:@][^/]*$/, '')
}

/** The digest if this repository brought it: the same content of another may need other rights. */
function digestIn(
  names: ReadonlyMap<string, string>,
  repository: string,
  digest: string | undefined,
): string | undefined {
  for (const [name, one] of names) {
    if (one === digest && repositoryOf(name) === repository) return digest
  }
  return undefined
}

const OUTPUT_CHARS_MAX = 16 * 1024
const HOSTS_ID_CHARS = 16

class PullError extends Error {
  override readonly name = 'PullError'
}

/** Text of a terminal without its control sequences. */
function terminalText(output: string): string {
  const control = String.fromCharCode(27)
  const sequences = new RegExp(`${control}\\[[0-9;?]*[A-Za-z]`, 'g')
  return output.replace(sequences, '').replaceAll('\r', '')
}

/** What `ctr images import` says it has brought; only digests are whole in all versions. Pure. */
export function importedDigests(output: string): Set<string> {
  return new Set(output.match(/sha256:[0-9a-f]{64}/g) ?? [])
}
