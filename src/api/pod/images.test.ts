import { expect, test } from 'bun:test'
import { defaultPullPolicy, imageTag } from './images.ts'

const DIGEST = `sha256:${'0'.repeat(64)}`

test('an image without tag and digest is the latest', () => {
  expect(imageTag('nginx')).toBe('latest')
  expect(imageTag('localhost:5000/nginx')).toBe('latest')
  expect(imageTag('nginx:1.27')).toBe('1.27')
  expect(imageTag(`nginx@${DIGEST}`)).toBe('')
  expect(imageTag(`nginx:1.27@${DIGEST}`)).toBe('1.27')
})

test('what is no image name has no tag', () => {
  expect(imageTag('a'.repeat(64))).toBe('')
  expect(imageTag('Upper/case:1')).toBe('1')
  expect(imageTag('nginx:')).toBe('')
})

test('the latest is pulled each time', () => {
  expect(defaultPullPolicy('nginx')).toBe('Always')
  expect(defaultPullPolicy('nginx:latest')).toBe('Always')
  expect(defaultPullPolicy('nginx:1.27')).toBe('IfNotPresent')
})
