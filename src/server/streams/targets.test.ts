import { expect, test } from 'bun:test'
import { ApiError, notFound } from '../../api/status.ts'
import { Query } from '../request/query.ts'
import { requestInfo } from '../request/request-info.ts'
import type { StreamObjects } from './contract.ts'
import { HtmlRewriter, rewriteLocation } from './rewrite.ts'
import { isStreamRequest, pathAfterProxy, planTarget, splitName } from './targets.ts'

const container = (name: string, ...ports: number[]) => ({
  name,
  image: 'i',
  ports: ports.map((containerPort) => ({ containerPort })),
})
const pod = (name: string, spec: object, status: object = {}) => ({
  metadata: { namespace: 'd', name },
  spec: { containers: [container('c')], ...spec },
  status,
})
const PODS = [
  pod('one', { nodeName: 'n', containers: [container('c', 8080)] }, { podIP: '10.42.0.5' }),
  pod('two', {
    nodeName: 'n',
    containers: [container('a'), container('b')],
    initContainers: [container('i')],
  }),
  pod('pending', {}),
  pod('elsewhere', { nodeName: 'm' }, { podIP: '10.42.1.5', podIPs: [{ ip: '10.42.1.5' }] }),
]
const toPod = (name: string, namespace = 'd') => ({ targetRef: { kind: 'Pod', namespace, name } })
const slice = {
  addressType: 'IPv4',
  ports: [
    { name: 'web', port: 8080 },
    { name: 'admin', port: 9090 },
  ],
  endpoints: [
    { addresses: ['10.42.0.5'], nodeName: 'lies', conditions: { ready: true }, ...toPod('one') },
    { addresses: ['10.42.1.5'], ...toPod('elsewhere') },
    { addresses: ['10.42.2.5'], nodeName: 'o', conditions: { ready: false }, ...toPod('one') },
  ],
}
const objects = {
  pod(_: string, name: string) {
    const found = PODS.find(({ metadata }) => metadata.name === name)
    if (found === undefined) throw notFound({ group: '', plural: 'pods' }, name)
    return found
  },
  service: () => ({
    spec: {
      ports: [
        { name: 'web', port: 80 },
        { name: 'admin', port: 81 },
      ],
    },
  }),
  node: () => ({
    status: {
      addresses: [
        { type: 'Hostname', address: 'n' },
        { type: 'InternalIP', address: '192.0.2.7' },
      ],
    },
  }),
  slicesOf: (_: string, name: string) => (name === 'empty' ? [] : [slice]),
} as unknown as StreamObjects

function plan(url: string, method = 'GET', random = 0) {
  const [rawPath = '', raw = ''] = url.split('?')
  const query = new Query(raw)
  const info = requestInfo(method, decodeURIComponent(rawPath), query)
  expect(isStreamRequest(info)).toBe(true)
  return planTarget(info, { rawPath, query }, { objects, random: () => random })
}
const inPods = (rest: string) => `/api/v1/namespaces/d/pods/${rest}`
const NUMBERS = '&sinceSeconds=3&tailLines=5&limitBytes=9'
const inServices = (rest: string) => `/api/v1/namespaces/d/services/${rest}`

test.each([
  ['one/log', '/containerLogs/d/one/c?stream=All'],
  [
    'one/log?follow=true&tailLines=5&timestamps=1&sinceSeconds=3&limitBytes=9&previous=false',
    `/containerLogs/d/one/c?follow=true&timestamps=true${NUMBERS}&stream=All`,
  ],
  ['two/log?container=i', '/containerLogs/d/two/i?stream=All'],
  [
    'one/exec?command=ls&command=-l&stdin=true&stdout=true&tty=true&stderr=false',
    '/exec/d/one/c?input=1&output=1&tty=1&command=ls&command=-l',
  ],
  ['two/attach?container=b&stdout=1', '/attach/d/two/b?output=1'],
  ['one/portforward', '/portForward/d/one'],
  ['one/portforward?ports=80&ports=81', '/portForward/d/one?port=80&port=81'],
])('pods/%s goes to the node as %s', (rest, path) => {
  expect(plan(inPods(rest))).toEqual({ is: 'node', nodeName: 'n', path })
})

test('the log of a pod that no node has yet is nothing', () => {
  expect(plan(inPods('pending/log'))).toEqual({ is: 'nothing' })
})

const INVALID = 'PodLogOptions "one" is invalid'

test.each([
  [inPods('none/log'), 404, 'pods "none" not found'],
  [inPods('pending/exec?command=x'), 400, 'pod pending does not have a host assigned'],
  [
    inPods('two/log'),
    400,
    'a container name must be specified for pod two, choose one of: [i a b]',
  ],
  [inPods('one/exec?container=x'), 400, 'container x is not valid for pod one'],
  [
    inPods('one/log?tailLines=-1'),
    422,
    `${INVALID}: tailLines: Invalid value: -1: must be greater than or equal to 0`,
  ],
  [
    inPods('one/log?limitBytes=0'),
    422,
    'PodLogOptions "one" is invalid: limitBytes: Invalid value: 0: must be greater than 0',
  ],
  [inPods('a:b:c:d/proxy/'), 400, 'invalid pod request "a:b:c:d"'],
  [inServices('empty/proxy/'), 503, 'no endpoints available for service "empty"'],
  [inServices('s:82/proxy/'), 503, 'no service port 82 found for service "s"'],
  [inServices('s:other/proxy/'), 503, 'no endpoints available for service "s:other"'],
])('%s is refused with %d', (url, code, message) => {
  let error: unknown
  try {
    plan(url)
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(ApiError)
  expect(error as ApiError).toMatchObject({ code, message })
})

const address = (nodeName: string, host: string, port: number, path: string, tls = false) =>
  ({ is: 'address', nodeName, host, port, tls, path }) as const

test.each([
  [inPods('one/proxy/a%2Fb?q=1'), 0, address('n', '10.42.0.5', 8080, '/a%2Fb?q=1')],
  [inPods('https:one:443/proxy/'), 0, address('n', '10.42.0.5', 443, '/', true)],
  [inPods('one:9/proxy/x/'), 0, address('n', '10.42.0.5', 9, '/x/')],
  [inServices('s/proxy/x'), 0, address('n', '10.42.0.5', 8080, '/x')],
  [inServices('s/proxy/x'), 0.9, address('m', '10.42.1.5', 8080, '/x')],
  [inServices('s:admin/proxy/'), 0, address('n', '10.42.0.5', 9090, '/')],
  [inServices('s:81/proxy/'), 0, address('n', '10.42.0.5', 9090, '/')],
  ['/api/v1/nodes/n/proxy/pods', 0, { is: 'node', nodeName: 'n', path: '/pods' }],
  ['/api/v1/nodes/n:10250/proxy/healthz', 0, { is: 'node', nodeName: 'n', path: '/healthz' }],
  ['/api/v1/nodes/n:80/proxy/x', 0, address('n', '192.0.2.7', 80, '/x')],
])('%s leads to the right place', (url, random, target) => {
  expect(plan(url, 'GET', random)).toEqual(target as never)
})

/** Each of them, as the address of a pod, a node or an endpoint, is a place where nobody may go. */
const FORBIDDEN = [
  ...['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.255.254', '169.254.169.254', '224.0.0.1'],
  ...['239.255.255.250', '255.255.255.255', '::', '0:0:0:0:0:0:0:0', '::0.0.0.0', '::1'],
  ...['0:0::1', '0000:0000:0000:0000:0000:0000:0000:0001', 'fe80::1', 'FE80::1', 'febf::1'],
  ...['ff02::1', 'FF0E::1', '::ffff:127.0.0.1', '::FFFF:7f00:1', '0:0:0:0:0:ffff:169.254.1.1'],
  ...['::ffff:0.0.0.0', '::ffff:224.0.0.1', '127.1', '2130706433', '0x7f.0.0.1', '0177.0.0.1'],
  ...['127.0.0.1 ', 'fe80::1%eth0', '[::1]', 'localhost', 'example.com', '', ' '],
]
const ALLOWED = ['10.42.0.5', '192.168.1.1', '8.8.8.8', 'fd00::5', '2001:DB8::1', '::ffff:10.0.0.1']

/** A world whose only pod, node and endpoint have this address. */
function placed(address: string, endpoint: object = toPod('p'), addressType = 'IPv4') {
  const found = pod('p', { nodeName: 'n' }, { podIP: address, podIPs: [{ ip: address }] })
  const addresses = [{ type: 'InternalIP', address }]
  const ports = [{ name: '', port: 80 }]
  const slices = [{ addressType, ports, endpoints: [{ addresses: [address], ...endpoint }] }]
  return {
    pod(namespace: string, name: string) {
      if (namespace === 'd' && name === 'p') return found
      throw notFound({ group: '', plural: 'pods' }, name)
    },
    service: () => ({ spec: { ports: [{ port: 80 }] } }),
    node: () => ({ status: { addresses } }),
    slicesOf: () => slices,
  } as unknown as StreamObjects
}

function refusal(url: string, objects: StreamObjects): unknown {
  const query = new Query('')
  const info = requestInfo('GET', url, query)
  try {
    return planTarget(info, { rawPath: url, query }, { objects, random: () => 0 })
  } catch (error) {
    return error instanceof ApiError ? [error.code, error.message] : error
  }
}

test.each(FORBIDDEN)('no proxy leads to %p', (host) => {
  const objects = placed(host)
  expect(refusal(inPods('p/proxy/'), objects)).toEqual([400, 'address not allowed'])
  expect(refusal('/api/v1/nodes/n:22/proxy/', objects)).toEqual([400, 'address not allowed'])
  const nobody = [503, 'no endpoints available for service "s"']
  expect(refusal(inServices('s/proxy/'), objects)).toEqual(nobody)
})

test.each(ALLOWED)('a proxy leads to %p', (host) => {
  for (const url of [inPods('p/proxy/'), '/api/v1/nodes/n:80/proxy/', inServices('s/proxy/')]) {
    expect(refusal(url, placed(host))).toEqual(address('n', host, 80, '/'))
  }
})

test.each([
  ['without a pod', {}],
  ['of a pod that is not there', toPod('gone')],
  ['of a pod of another namespace', toPod('p', 'kube-system')],
  ['of a node', { targetRef: { kind: 'Node', name: 'n' } }],
])('an endpoint %s is none', (_, endpoint) => {
  const nobody = [503, 'no endpoints available for service "s"']
  expect(refusal(inServices('s/proxy/'), placed('10.42.0.5', endpoint))).toEqual(nobody)
})

test('an endpoint with an address that its pod has not is none, nor is a name', () => {
  const nobody = [503, 'no endpoints available for service "s"']
  const real = placed('10.42.0.5')
  const other = { ...real, slicesOf: placed('10.42.0.6').slicesOf }
  expect(refusal(inServices('s/proxy/'), other)).toEqual(nobody)
  const named = placed('10.42.0.5', toPod('p'), 'FQDN')
  expect(refusal(inServices('s/proxy/'), named)).toEqual(nobody)
})

test('names may carry a scheme and a port', () => {
  expect(splitName('a')).toEqual({ scheme: '', name: 'a', port: '' })
  expect(splitName('a:b')).toEqual({ scheme: '', name: 'a', port: 'b' })
  expect(splitName('https:a:')).toEqual({ scheme: 'https', name: 'a', port: '' })
  expect(splitName(':a:b')).toEqual({ scheme: '', name: 'a', port: 'b' })
  for (const wrong of ['', ':b', 'ftp:a:b', 'http::b', 'a:b:c:d']) {
    expect(splitName(wrong)).toBeUndefined()
  }
})

test('what follows /proxy goes on as it was sent', () => {
  expect(pathAfterProxy(inPods('a%3A80/proxy/x%20y'), 'a:80')).toBe('/x%20y')
  expect(pathAfterProxy(inPods('proxy/proxy/proxy/1'), 'proxy')).toBe('/proxy/1')
  expect(pathAfterProxy(inPods('a/proxy'), 'a')).toBe('/')
})

const prefix = '/api/v1/namespaces/d/pods/p/proxy'

/** The page as it comes out when it comes in pieces of `size`. */
function rewritten(page: string, size = page.length): string {
  const html = new HtmlRewriter(prefix)
  let text = ''
  for (let at = 0; at < page.length; at += size) text += html.push(page.slice(at, at + size))
  return text + html.end()
}

test('links from the root of a page lead through the proxy, others stay', () => {
  const image = '<img alt="" src="/i.png" longdesc="/d">'
  const page = `<a href="/x">1</a><a class="l" HREF='/y/'>2</a>${image}`
  for (const size of [1, 2, 7, 1000]) {
    expect(rewritten(page, size)).toBe(
      `<a href="${prefix}/x">1</a><a class="l" HREF='${prefix}/y/'>2</a>` +
        `<img alt="" src="${prefix}/i.png" longdesc="${prefix}/d">`,
    )
  }
  const kept = `<a href="x">1</a><a href="http://e/x">2</a><a href="//e/x">3</a><p>href="/x"</p>`
  for (const size of [1, 2, 7, 1000]) expect(rewritten(kept, size)).toBe(kept)
})

// Each of these looked at every byte again for every other: megabytes of them would never end.
test.each([
  ['tags that never end', '<a'],
  ['links that never end', '<a href="/'],
  ['blanks that lead nowhere', '<a href   '],
  ['ends without a tag', '>'],
  ['what is no tag', '< '],
])('a page of nothing but %s passes as it is', (_, part) => {
  const page = part.repeat(4_000_000 / part.length)
  for (const size of [16 * 1024, page.length]) expect(rewritten(page, size) === page).toBe(true)
})

test('what a tag may be is bounded; a page goes on after one that is longer', () => {
  const long = `<a ${'x'.repeat(70_000)} href="/x"><a href="/x">`
  expect(rewritten(long, 1024)).toBe(long.replace(/"\/x">$/, `"${prefix}/x">`))
})

test('redirects within the host stay behind the proxy', () => {
  const rewrite = (location: string) => rewriteLocation(location, '10.42.0.5:80', prefix)
  expect(rewrite('/login')).toBe(`${prefix}/login`)
  expect(rewrite('http://10.42.0.5:80/login')).toBe(`${prefix}/login`)
  for (const kept of ['http://e/login', 'login', '//e/x', `${prefix}/x`])
    expect(rewrite(kept)).toBe(kept)
})
