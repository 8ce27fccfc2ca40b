import { expect, test } from 'bun:test'
import { importedDigests } from './ctr-images.ts'
import {
  chainIdOf,
  ImageContentError,
  imageArchitecture,
  imageDetails,
  parseManifest,
} from './image-content.ts'

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`
const layer = (size: number) => ({ digest: digestOf('1'), size })

test('an index leads to the manifest for this processor', () => {
  const platform = (architecture: string, variant?: string) => ({
    digest: DIGESTS[`${architecture}${variant ?? ''}`],
    size: 1,
    platform: { os: 'linux', architecture, ...(variant ? { variant } : {}) },
  })
  const DIGESTS: Record<string, string> = {
    amd64: digestOf('a'),
    armv7: digestOf('b'),
    arm64v8: digestOf('c'),
  }
  const index = JSON.stringify({
    manifests: [platform('amd64'), platform('arm', 'v7'), platform('arm64', 'v8')],
  })
  expect(parseManifest(index, imageArchitecture('x64'))).toEqual({ digest: digestOf('a') })
  expect(parseManifest(index, imageArchitecture('arm64'))).toEqual({ digest: digestOf('c') })
  expect(() => parseManifest(index, 's390x')).toThrow('no match for platform linux/s390x')
})

test('details come from the manifest and the configuration', () => {
  const manifest = { config: { digest: digestOf('c'), size: 5 }, layers: [layer(10), layer(20)] }
  const config = {
    config: { User: 'web', Env: ['A=b'], Entrypoint: ['/web'], Volumes: { '/data': {} } },
    rootfs: { diff_ids: [digestOf('d')] },
  }
  expect(imageDetails(manifest, JSON.stringify(config))).toEqual({
    id: digestOf('c'),
    chainId: digestOf('d'),
    sizeBytes: 35,
    config: {
      user: 'web',
      env: ['A=b'],
      entrypoint: ['/web'],
      cmd: [],
      workingDir: '',
      stopSignal: '',
      volumes: ['/data'],
    },
  })
})

test('the id of a chain covers every layer below', () => {
  // sha256 of the text `sha256:a sha256:b`.
  expect(chainIdOf(['sha256:a', 'sha256:b'])).toBe(
    'sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8',
  )
  expect(chainIdOf(['sha256:a', 'sha256:b'])).not.toBe(chainIdOf(['sha256:b', 'sha256:a']))
  expect(chainIdOf([])).toBe('')
})

// Every field of a manifest, an index and a configuration, with everything that JSON can hold.
const JUNK = [null, true, -1, 0.5, 2 ** 60, '', '--help', '../../x', 'a\0b', [], [[]], {}, { a: 1 }]
const OBJECTS: Record<string, (junk: unknown) => unknown> = {
  'manifest.config': (junk) => ({ config: junk, layers: [] }),
  'manifest.config.digest': (junk) => ({ config: { digest: junk, size: 1 }, layers: [] }),
  'manifest.config.size': (junk) => ({ config: { ...layer(1), size: junk }, layers: [] }),
  'manifest.layers': (junk) => ({ config: layer(1), layers: junk }),
  'manifest.layers[]': (junk) => ({ config: layer(1), layers: [junk] }),
  'manifest.layers[].digest': (junk) => ({ config: layer(1), layers: [{ digest: junk, size: 1 }] }),
  'manifest.layers[].size': (junk) => ({ config: layer(1), layers: [{ ...layer(1), size: junk }] }),
  'index.manifests': (junk) => ({ manifests: junk }),
  'index.manifests[]': (junk) => ({ manifests: [junk] }),
  'index.manifests[].digest': (junk) => ({ manifests: [{ digest: junk, size: 1 }] }),
  'index.manifests[].platform': (junk) => ({ manifests: [{ ...layer(1), platform: junk }] }),
  whole: (junk) => junk,
}
const CONFIGS: Record<string, (junk: unknown) => unknown> = {
  ...Object.fromEntries(
    ['User', 'Env', 'Entrypoint', 'Cmd', 'WorkingDir', 'StopSignal', 'Volumes'].flatMap((field) => [
      [field, (junk: unknown) => ({ config: { [field]: junk } })],
      [`${field}[]`, (junk: unknown) => ({ config: { [field]: [junk] } })],
    ]),
  ),
  config: (junk) => ({ config: junk }),
  rootfs: (junk) => ({ rootfs: junk }),
  'rootfs.diff_ids': (junk) => ({ rootfs: { diff_ids: junk } }),
  'rootfs.diff_ids[]': (junk) => ({ rootfs: { diff_ids: [junk] } }),
  whole: (junk) => junk,
}

/** What comes out, or undefined when it is refused as the image's own fault. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    expect(error).toBeInstanceOf(ImageContentError)
    return undefined
  }
}

test('what an image says is what it should be, or is refused', () => {
  const digest = /^sha256:[0-9a-f]{64}$/
  for (const [where, make] of Object.entries(OBJECTS)) {
    for (const junk of JUNK) {
      const found = orRefused(() => parseManifest(JSON.stringify(make(junk)), 'amd64'))
      if (found === undefined) continue
      if ('digest' in found)
        expect([where, found.digest]).toEqual([where, expect.stringMatching(digest)])
      else for (const one of [found.config, ...found.layers]) expect(one.digest).toMatch(digest)
    }
  }
  const texts = (value: unknown) => expect((value as unknown[]).every(isText)).toBe(true)
  for (const make of Object.values(CONFIGS)) {
    for (const junk of JUNK) {
      const text = JSON.stringify(make(junk))
      const found = orRefused(() => imageDetails({ config: layer(1), layers: [] }, text))
      if (found === undefined) continue
      const { user, env, entrypoint, cmd, workingDir, stopSignal, volumes } = found.config
      for (const list of [[user, workingDir], env, entrypoint, cmd, volumes]) texts(list)
      expect(stopSignal).toMatch(/^(SIG[A-Z0-9]+)?$/)
      expect(found.chainId === '' || digest.test(found.chainId)).toBe(true)
    }
  }
})

test('texts that are no JSON, or too deep, are refused', () => {
  for (const text of ['', '{', '['.repeat(3_000_000), '\0']) {
    expect(() => parseManifest(text, 'amd64')).toThrow(ImageContentError)
    expect(() => imageDetails({ config: layer(1), layers: [] }, text)).toThrow(ImageContentError)
  }
})

test('no image has more layers than can be stacked', () => {
  const layers = Array.from({ length: 600 }, () => layer(1))
  const text = JSON.stringify({ config: layer(1), layers })
  expect(() => parseManifest(text, 'amd64')).toThrow('layers has more than 512 entries')
})

function isText(value: unknown): boolean {
  return typeof value === 'string' && !value.includes('\0')
}

test('digests are found in what either version of ctr prints after an import', () => {
  const digest = `sha256:${'0a'.repeat(32)}`
  const old = `unpacking docker.io/kedge-test/web:1 (${digest})...done\n`
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const now = `docker.io/kedge test/web:1 \tsaved\t\n${type} ${digest}\n`
  expect([...importedDigests(old)]).toEqual([digest])
  expect([...importedDigests(now)]).toEqual([digest])
})
