import { expect, test } from 'bun:test'
import { importedDigests } from './ctr-images.ts'
import { chainIdOf, imageArchitecture, imageDetails, parseManifest } from './image-content.ts'

const layer = (size: number) => ({ digest: 'sha256:l', size })

test('an index leads to the manifest for this processor', () => {
  const platform = (architecture: string, variant?: string) => ({
    digest: `sha256:${architecture}${variant ?? ''}`,
    size: 1,
    platform: { os: 'linux', architecture, ...(variant ? { variant } : {}) },
  })
  const index = JSON.stringify({
    manifests: [platform('amd64'), platform('arm', 'v7'), platform('arm64', 'v8')],
  })
  expect(parseManifest(index, imageArchitecture('x64'))).toEqual({ digest: 'sha256:amd64' })
  expect(parseManifest(index, imageArchitecture('arm64'))).toEqual({ digest: 'sha256:arm64v8' })
  expect(() => parseManifest(index, 's390x')).toThrow('no match for platform linux/s390x')
})

test('details come from the manifest and the configuration', () => {
  const manifest = { config: { digest: 'sha256:c', size: 5 }, layers: [layer(10), layer(20)] }
  const config = {
    config: { User: 'web', Env: ['A=b'], Entrypoint: ['/web'], Volumes: { '/data': {} } },
    rootfs: { diff_ids: ['sha256:1'] },
  }
  expect(imageDetails(manifest, JSON.stringify(config))).toEqual({
    id: 'sha256:c',
    chainId: 'sha256:1',
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

test('digests are found in what either version of ctr prints after an import', () => {
  const digest = `sha256:${'0a'.repeat(32)}`
  const old = `unpacking docker.io/kedge-test/web:1 (${digest})...done\n`
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const now = `docker.io/kedge test/web:1 \tsaved\t\n${type} ${digest}\n`
  expect([...importedDigests(old)]).toEqual([digest])
  expect([...importedDigests(now)]).toEqual([digest])
})
