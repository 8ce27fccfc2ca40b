import { expect, test } from 'bun:test'
import { credentialsFor, splitImage } from './credentials.ts'

const secretOf = (auths: Record<string, object>) => ({
  metadata: {},
  type: 'kubernetes.io/dockerconfigjson',
  data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
})
const user = (username: string) => ({ username, password: 'p' })
const usersFor = (image: string, auths: Record<string, object>) =>
  credentialsFor(image, [secretOf(auths)]).map(({ username }) => username)

test.each([
  ['busybox', 'docker.io', 'library/busybox'],
  ['team/app:1', 'docker.io', 'team/app'],
  ['localhost/app', 'localhost', 'app'],
  ['127.0.0.1:5000/team/app:1', '127.0.0.1:5000', 'team/app'],
  ['quay.io/a/b@sha256:0', 'quay.io', 'a/b'],
])('the image %s is at %s', (image, registry, repository) => {
  expect(splitImage(image)).toEqual({ registry, repository })
})

test('a registry gets the credentials of its host, the most specific first', () => {
  const auths = { 'quay.io': user('all'), 'quay.io/team': user('team'), 'other.io': user('no') }
  expect(usersFor('quay.io/team/app:1', auths)).toEqual(['team', 'all'])
  expect(usersFor('quay.io/someone/app:1', auths)).toEqual(['all'])
})

test('Docker Hub answers to its old addresses', () => {
  expect(usersFor('busybox', { 'https://index.docker.io/v1/': user('hub') })).toEqual(['hub'])
})

test('a star stands for one label, and ports count', () => {
  const auths = { '*.example.com': user('star'), 'a.example.com:5000': user('port') }
  expect(usersFor('a.example.com/app', auths)).toEqual(['star'])
  expect(usersFor('a.b.example.com/app', auths)).toEqual([])
  expect(usersFor('a.example.com:5000/app', auths)).toEqual(['port'])
})

test('a user and a password may come as one base64 text', () => {
  const auth = Buffer.from('me:se:cret').toString('base64')
  const found = credentialsFor('quay.io/app', [secretOf({ 'quay.io': { auth } })])
  expect(found).toEqual([{ username: 'me', password: 'se:cret' }])
})

test('a broken secret is as good as none', () => {
  const broken = {
    metadata: {},
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': 'e30x' },
  }
  expect(credentialsFor('quay.io/app', [broken])).toEqual([])
})
