// The executable for arm64, run by qemu: its server starts, kubectl writes and reads, and what one
// kind of processor wrote another reads. Nodes need a kernel of their own, so there are none.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kubectl, kubectlOf, kubectlPrograms, ok, until } from '../support/machines.ts'

const PROJECT = join(import.meta.dir, '../..')
const KEDGE = join(PROJECT, 'dist/kedge-arm64')
const LIBRARIES = join(PROJECT, '.build/arm64/root')
/** Of the Raspberry Pi 3 and 4. */
const PROCESSORS = ['cortex-a53', 'cortex-a72']
/** Emulation on a busy machine is slow; nothing is judged by it. */
const START_MS_MAX = 120_000

const missing = [
  ...(Bun.which('qemu-aarch64-static') ? [] : ['qemu-aarch64-static']),
  ...[KEDGE, LIBRARIES].filter((path) => !existsSync(path)),
  ...(kubectlPrograms().length > 0 ? [] : ['kubectl']),
]
if (missing.length > 0) console.log(`skipped: arm64 (not there: ${missing.join(', ')})`)

describe.skipIf(missing.length > 0)('the executable for arm64', () => {
  let folder = ''
  let server: Bun.Subprocess | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-arm64-'))
  })
  afterAll(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })

  const argvOn = (processor: string, args: string[]) => [
    ...['qemu-aarch64-static', '-cpu', processor, '-L', LIBRARIES, KEDGE],
    ...args,
  ]

  /** Over the data of the one before. */
  async function start(processor: string): Promise<Kubectl> {
    const kubeconfig = join(folder, `${processor}.yaml`)
    const files = ['--data-dir', join(folder, 'data'), '--write-kubeconfig', kubeconfig]
    const port = ['--bind-address', '127.0.0.1', '--https-listen-port', String(await freePort())]
    server = Bun.spawn(argvOn(processor, ['server', '--disable-agent', ...files, ...port]), {
      stdio: ['ignore', 'ignore', Bun.file(join(folder, `${processor}.log`))],
      env: { ...process.env, KEDGE_CONFIG: '' },
    })
    await until('the kubeconfig', async () => existsSync(kubeconfig), START_MS_MAX)
    const kubectl = kubectlOf(kubeconfig)
    const isReady = async () => (await kubectl.try(['get', '--raw', '/readyz'])).code === 0
    await until('the API', isReady, START_MS_MAX)
    return kubectl
  }

  async function stop() {
    server?.kill('SIGTERM')
    await server?.exited
    server = undefined
  }

  test('prints its version on every processor', async () => {
    for (const processor of PROCESSORS) {
      expect(await ok(argvOn(processor, ['version']))).toMatch(/^kedge \d+\.\d+\.\d+/)
    }
  })

  test('lets kubectl write and read, and reads on one processor what another wrote', async () => {
    const written: string[] = []
    for (const processor of PROCESSORS) {
      const kubectl = await start(processor)
      expect(await kubectl(['version'])).toContain('Server Version: v1.36.')
      expect(await kubectl(['get', '--raw', '/version'])).toContain('"platform": "linux/arm64"')
      for (const name of written) {
        const data = ['get', 'configmap', name, '-o', 'jsonpath={.data.of}']
        expect(await kubectl(data)).toBe(name)
      }
      await kubectl(['create', 'configmap', processor, `--from-literal=of=${processor}`])
      await kubectl(['label', 'configmap', processor, 'read=yes'])
      written.push(processor)
      const names = await kubectl(['get', 'configmaps', '-l', 'read', '-o', 'name'])
      expect(names).toBe(written.map((name) => `configmap/${name}\n`).join(''))
      // Controllers run, and the schema is there in words.
      await kubectl(['create', 'deployment', processor, '--image=a/b:1', '--replicas=2'])
      await until('the pods', async () => {
        const pods = await kubectl(['get', 'pods', '-l', `app=${processor}`, '-o', 'name'])
        return pods.trim().split('\n').length === 2
      })
      expect(await kubectl(['explain', 'pod.spec.containers'])).toContain('KIND:       Pod')
      await stop()
    }
  }, 400_000)
})

async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
