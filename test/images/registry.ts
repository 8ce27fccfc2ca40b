// Debian's docker-registry on a port of its own, filled with the test images.
// As a program: bun test/images/registry.ts FOLDER [PORT]

import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Image, MANIFEST_TYPE } from './image.ts'
import { testImages } from './recipes.ts'

export type Registry = {
  /** 127.0.0.1:PORT or another address, as it stands before the name of an image. */
  readonly host: string
  stop(): Promise<void>
}

export type RegistryOptions = {
  /** Where its files lie; the caller removes it. */
  folder: string
  /** Default: a free one. */
  port?: number
  /** Default: 127.0.0.1. */
  address?: string
  /** Paths of what it proves itself by, and of the CA whose clients it lets in; default: plain. */
  tls?: { cert: string; key: string; clientCa?: string; client?: { cert: string; key: string } }
  /** Default: everybody may read and write. */
  account?: { username: string; password: string }
  /** Makes a command run elsewhere, such as in a network namespace. Default: here. */
  on?: (argv: string[]) => string[]
}

const READY_MS_MAX = 10_000

/** Starts a registry and pushes `images`. Throws when docker-registry is not installed. */
export async function startRegistry(
  options: RegistryOptions,
  images: readonly Image[],
): Promise<Registry> {
  const program = Bun.which('docker-registry')
  if (program === null) throw new Error('docker-registry is not installed: apt install it')
  const { address = '127.0.0.1', tls } = options
  const port = options.port ?? (await freePort(address))
  const argv = [program, 'serve', await writeConfig(options, port)]
  const headers = authorization(options.account)
  const url = `${tls === undefined ? 'http' : 'https'}://${address}:${port}`
  const here = serve(argv, `${address}:${port}`)
  const ask: Ask = (where, init) => fetch(where, { ...init, tls: clientTls(tls) } as RequestInit)
  try {
    await untilReady(`${url}/v2/`, async () => (await ask(`${url}/v2/`, { headers })).ok)
    for (const image of images) await push(ask, url, image, headers)
  } catch (error) {
    await here.stop()
    throw error
  }
  const { on } = options
  if (on === undefined) return here
  // Nobody here reaches a port over there: it was filled here, and is served there.
  await here.stop()
  const there = serve(on(argv), here.host)
  const curl = on(['curl', '-s', '-o', '/dev/null', `${url}/v2/`])
  await untilReady(`${url}/v2/`, async () => (await Bun.spawn(curl).exited) === 0)
  return there
}

type Ask = (url: string, init: RequestInit) => Promise<Response>

/** It is ours, whoever its certificate is from. */
function clientTls(tls: RegistryOptions['tls']): object {
  const { client } = tls ?? {}
  const own = client && { cert: Bun.file(client.cert), key: Bun.file(client.key) }
  return { rejectUnauthorized: false, ...own }
}

/** Returns the path of the configuration. */
async function writeConfig(options: RegistryOptions, port: number): Promise<string> {
  const config = join(options.folder, 'registry.json')
  mkdirSync(options.folder, { recursive: true })
  const passwords = join(options.folder, 'htpasswd')
  if (options.account !== undefined) {
    const { username, password } = options.account
    const hash = await Bun.password.hash(password, { algorithm: 'bcrypt', cost: 4 })
    writeFileSync(passwords, `${username}:${hash}\n`)
  }
  const auth = { htpasswd: { realm: 'kedge-test', path: passwords } }
  // JSON is YAML.
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(options.folder, 'data') } },
    http: { addr: `${options.address ?? '127.0.0.1'}:${port}`, ...tlsSettings(options.tls) },
    ...(options.account === undefined ? {} : { auth }),
  }
  writeFileSync(config, JSON.stringify(settings))
  return config
}

function tlsSettings(tls: RegistryOptions['tls']): object {
  if (tls === undefined) return {}
  const clientcas = tls.clientCa === undefined ? {} : { clientcas: [tls.clientCa] }
  return { tls: { certificate: tls.cert, key: tls.key, ...clientcas } }
}

function serve(argv: string[], host: string): Registry {
  const child = Bun.spawn(argv, { stdout: 'ignore', stderr: 'ignore' })
  return {
    host,
    async stop() {
      child.kill()
      await child.exited
    },
  }
}

async function push(
  ask: Ask,
  base: string,
  image: Image,
  headers: Record<string, string>,
): Promise<void> {
  const send = (url: string, method: string, more: Record<string, string>, body?: Uint8Array) =>
    asked(ask, url, method, more, body)
  const [name, tag] = image.name.split(':')
  for (const [digest, bytes] of image.blobs) {
    if (digest === image.manifest.digest) continue
    const opened = await send(`${base}/v2/${name}/blobs/uploads/`, 'POST', headers)
    const location = new URL(opened.headers.get('location')!, base)
    location.searchParams.set('digest', digest)
    const type = { 'content-type': 'application/octet-stream' }
    await send(location.href, 'PUT', { ...headers, ...type }, bytes)
  }
  const type = { 'content-type': MANIFEST_TYPE }
  const { bytes } = image.manifest
  await send(`${base}/v2/${name}/manifests/${tag}`, 'PUT', { ...headers, ...type }, bytes)
}

async function asked(
  ask: Ask,
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<Response> {
  const content = body === undefined ? {} : { body: new Uint8Array(body) }
  const answer = await ask(url, { method, headers, ...content })
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`)
  return answer
}

function authorization(account: RegistryOptions['account']): Record<string, string> {
  if (account === undefined) return {}
  return { authorization: `Basic ${btoa(`${account.username}:${account.password}`)}` }
}

async function untilReady(url: string, isReady: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + READY_MS_MAX
  while (performance.now() < endMs) {
    if (await isReady().catch(() => false)) return // Not listening yet.
    await Bun.sleep(20)
  }
  throw new Error(`no registry answers at ${url}`)
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0))
    })
  })
}

if (import.meta.main) {
  const [folder, port] = process.argv.slice(2)
  if (folder === undefined) throw new Error('usage: bun test/images/registry.ts FOLDER [PORT]')
  const options = port === undefined ? { folder } : { folder, port: Number(port) }
  const registry = await startRegistry(options, await testImages())
  console.log(`serving at ${registry.host}; stop with Ctrl-C`)
  process.on('SIGINT', () => void registry.stop().then(() => process.exit(0)))
}
