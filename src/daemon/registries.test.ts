import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadRegistries } from './registries.ts'

const folder = await mkdtemp(join(tmpdir(), 'kedge-registries-'))
afterAll(() => rm(folder, { recursive: true }))

async function load(text: string) {
  const path = join(folder, 'registries.yaml')
  await writeFile(path, text)
  return loadRegistries({ 'private-registry': path })
}

test('reads mirrors, accounts and certificates', async () => {
  const ca = join(folder, 'ca.crt')
  await writeFile(ca, '')
  const { mirrors, hosts } = await load(`
mirrors:
  docker.io:
    endpoint: ["https://mirror:5000"]
configs:
  "mirror:5000":
    auth: { username: me, password: 123 }
    tls: { ca_file: ${ca} }
`)
  expect(mirrors.get('docker.io')?.endpoints.map((url) => url.host)).toEqual(['mirror:5000'])
  expect(hosts.get('mirror:5000')).toEqual({
    credentials: { username: 'me', password: '123' },
    tls: { ca, skipVerify: false },
  })
})

test('names the file, the key and the way out', async () => {
  const path = join(folder, 'registries.yaml')
  await expect(load('mirrors: [')).rejects.toThrow(`${path}: is not valid YAML: `)
  await expect(load('mirror: {}')).rejects.toThrow(`${path}: the file: mirror is not known`)
  await expect(load(`configs: { a: { tls: { ca_file: /none.crt } } }`)).rejects.toThrow(
    `${path}: configs.a.tls.ca_file: /none.crt cannot be read: name a readable file`,
  )
  const missing = loadRegistries({ 'private-registry': '/none.yaml' })
  await expect(missing).rejects.toThrow('--private-registry /none.yaml: there is no such file')
})
