import { expect, test } from 'bun:test'
import { Query } from './query.ts'
import { requestInfo } from './request-info.ts'

const info = (method: string, url: string) => {
  const [path = '', query = ''] = url.split('?')
  const { verb, namespace, resource, subresource, name, isResource, rest } = requestInfo(
    method,
    path,
    new Query(query),
  )
  return isResource ? [verb, namespace, resource, name, subresource, rest] : verb
}

test('reads verb, namespace, resource, name and sub-resource', () => {
  expect(info('GET', '/api/v1/namespaces/a/pods/p')).toEqual(['get', 'a', 'pods', 'p', '', ''])
  expect(info('GET', '/api/v1/pods')).toEqual(['list', '', 'pods', '', '', ''])
  expect(info('GET', '/api/v1/pods?watch=1')).toEqual(['watch', '', 'pods', '', '', ''])
  expect(info('GET', '/api/v1/pods?watch=false')).toEqual(['list', '', 'pods', '', '', ''])
  expect(info('DELETE', '/apis/apps/v1/namespaces/a/deployments')).toEqual([
    ...['deletecollection', 'a', 'deployments', '', '', ''],
  ])
  expect(info('PATCH', '/apis/apps/v1/namespaces/a/deployments/d/scale')).toEqual([
    ...['patch', 'a', 'deployments', 'd', 'scale', ''],
  ])
})

test('a namespace is in its own namespace, and so are its sub-resources', () => {
  expect(info('GET', '/api/v1/namespaces')).toEqual(['list', '', 'namespaces', '', '', ''])
  expect(info('GET', '/api/v1/namespaces/a')).toEqual(['get', 'a', 'namespaces', 'a', '', ''])
  expect(info('PUT', '/api/v1/namespaces/a/finalize')).toEqual([
    ...['update', 'a', 'namespaces', 'a', 'finalize', ''],
  ])
})

test('a list or watch of one name carries the name', () => {
  expect(info('GET', '/api/v1/pods?fieldSelector=metadata.name%3Dx')).toEqual([
    ...['list', '', 'pods', 'x', '', ''],
  ])
  expect(info('GET', '/api/v1/watch/namespaces/a/pods/p')).toEqual([
    ...['watch', 'a', 'pods', 'p', '', ''],
  ])
})

test('the rest of a proxy path is kept', () => {
  expect(info('GET', '/api/v1/namespaces/a/services/s:80/proxy/x/y/')).toEqual([
    ...['get', 'a', 'services', 's:80', 'proxy', '/x/y/'],
  ])
  expect(info('GET', '/api/v1/namespaces/a/pods/p/proxy/')).toEqual([
    ...['get', 'a', 'pods', 'p', 'proxy', '/'],
  ])
})

test('short paths and other prefixes are no resources', () => {
  expect(info('GET', '/apis/apps/v1')).toBe('get')
  expect(info('POST', '/healthz')).toBe('post')
  expect(info('GET', '/version/a/b/c')).toBe('get')
})
