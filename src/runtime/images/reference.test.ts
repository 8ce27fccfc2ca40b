import { expect, test } from 'bun:test'
import { ContainerError } from '../../api/pod/container-error.ts'
import { formatReference, imageIdOf, isLocalRegistry, parseReference } from './reference.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

test('names are made full as Docker did', () => {
  const full: Record<string, string> = {
    busybox: 'docker.io/library/busybox:latest',
    'busybox:1.36': 'docker.io/library/busybox:1.36',
    'kedge-test/web:1': 'docker.io/kedge-test/web:1',
    'docker.io/busybox': 'docker.io/library/busybox:latest',
    'index.docker.io/library/busybox:1': 'docker.io/library/busybox:1',
    'ghcr.io/a/b/c:v1': 'ghcr.io/a/b/c:v1',
    'localhost/app': 'localhost/app:latest',
    'localhost:5000/app:2': 'localhost:5000/app:2',
    'registry:5000/app': 'registry:5000/app:latest',
    [`busybox@${DIGEST}`]: `docker.io/library/busybox@${DIGEST}`,
    [`busybox:1@${DIGEST}`]: `docker.io/library/busybox@${DIGEST}`,
    '[::1]:5000/app:2': '[::1]:5000/app:2',
  }
  for (const [short, long] of Object.entries(full)) {
    expect(formatReference(parseReference(short))).toBe(long)
  }
})

test('what cannot be a name is refused in the words of the kubelet', () => {
  for (const name of [
    '',
    'a b',
    'UPPER',
    'a//b',
    'a:',
    'a@b',
    '-a',
    'a:b:c',
    '/a',
    'a@sha256:12',
  ]) {
    let error: unknown
    try {
      parseReference(name)
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(ContainerError)
    expect((error as ContainerError).reason).toBe('InvalidImageName')
    expect((error as ContainerError).message).toContain(
      `couldn't parse image name "${name}": invalid reference format`,
    )
  }
})

test('an upper-case repository is named as the fault', () => {
  expect(() => parseReference('docker.io/Upper:1')).toThrow('repository name must be lowercase')
})

test('ids are digests of the configuration, with or without their algorithm', () => {
  expect(imageIdOf(DIGEST)).toBe(DIGEST)
  expect(imageIdOf('a'.repeat(64))).toBe(DIGEST)
  expect(imageIdOf('busybox')).toBeUndefined()
})

test('registries of this machine are known', () => {
  const local = ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.1.2.3', '[::1]:5000']
  expect(local.every(isLocalRegistry)).toBe(true)
  expect(['docker.io', '10.0.0.1:5000', 'localhost.example'].some(isLocalRegistry)).toBe(false)
})

test('a digest that goes on and on is refused at once', () => {
  for (const end of ['2', 'a', '_', '.', '+'].map((sign) => `a${sign}`)) {
    expect(() => parseReference(`b@${end.repeat(100)}:x`)).toThrow('invalid reference format')
  }
  expect(parseReference(`b@a.b-c_d+e:${'0'.repeat(32)}`).digest).toStartWith('a.b-c_d+e:')
})
