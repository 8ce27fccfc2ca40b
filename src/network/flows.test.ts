import { describe, expect, test } from 'bun:test'
import { type Flow, forgetCommand, parseFlow, staleFlowTest } from './flows.ts'
import type { Frontend, Translation } from './translations.ts'

const ranges = { pods: '10.42.0.0/16', services: '10.43.0.0/16' }
const NODE = '192.168.1.5'
const isOwnAddress = (ip: string) => [NODE, '127.0.0.1', '10.43.0.10'].includes(ip)
const pod = { ip: '10.42.0.2', port: 5353 }

/** Every kind of address that is translated, and what a client of it sends to. */
const KINDS: Record<string, { address: string | undefined; to: string }> = {
  'cluster address': { address: '10.43.0.5', to: '10.43.0.5' },
  'external address': { address: '203.0.113.9', to: '203.0.113.9' },
  'load balancer': { address: '203.0.113.10', to: '203.0.113.10' },
  'node port': { address: undefined, to: NODE },
  'node port on localhost': { address: undefined, to: '127.0.0.1' },
  'host port': { address: undefined, to: NODE },
  'host port of one address': { address: NODE, to: NODE },
}

function isStale(translations: Translation[], flow: Flow, gone: Frontend[] = []): boolean {
  return staleFlowTest({ translations, gone, isOwnAddress, ranges })(flow)
}

describe.each(Object.entries(KINDS))('a flow to a %s', (_kind, { address, to }) => {
  const frontend: Frontend = { protocol: 'udp', address, port: 53 }
  const asked = { ip: to, port: 53 }

  test('stays while its backend is there', () => {
    expect(isStale([{ ...frontend, backends: [pod] }], { to: asked, from: pod })).toBe(false)
  })

  test('is forgotten when its backend was replaced, here or while nobody looked', () => {
    const other = [{ ...frontend, backends: [{ ip: '10.42.0.3', port: 5353 }] }]
    expect(isStale(other, { to: asked, from: pod })).toBe(true)
  })

  test('is forgotten when the port of its backend changed', () => {
    const moved = [{ ...frontend, backends: [{ ...pod, port: 5354 }] }]
    expect(isStale(moved, { to: asked, from: pod })).toBe(true)
  })

  test('is forgotten when it began before there was a backend', () => {
    const begun = [{ ...frontend, backends: [pod] }]
    expect(isStale(begun, { to: asked, from: asked })).toBe(true)
  })

  test('is forgotten when nothing is translated there any more', () => {
    expect(isStale([], { to: asked, from: pod })).toBe(true)
    const elsewhere = { ip: '198.51.100.7', port: 9 }
    expect(isStale([], { to: asked, from: elsewhere }, [frontend])).toBe(true)
  })

  test('is none of our business over TCP', () => {
    const tcp = [{ ...frontend, protocol: 'tcp' as const, backends: [] }]
    expect(isStale(tcp, { to: asked, from: asked })).toBe(false)
  })
})

test('flows that are not ours stay', () => {
  const nodePort = [{ protocol: 'udp' as const, address: undefined, port: 53, backends: [pod] }]
  const outside = { ip: '9.9.9.9', port: 53 }
  expect(isStale(nodePort, { to: outside, from: outside })).toBe(false)
  // The DNS of the cluster has an address of the node, but no port of the node is there.
  const dns = { ip: '10.43.0.10', port: 53 }
  expect(isStale(nodePort, { to: dns, from: dns })).toBe(false)
  // Translated by somebody else: a container of another engine.
  expect(isStale([], { to: { ip: NODE, port: 99 }, from: { ip: '172.17.0.2', port: 9 } })).toBe(
    false,
  )
  // Pods among themselves.
  expect(isStale([], { to: pod, from: pod })).toBe(false)
})

test('two that share an address may both answer', () => {
  const shared = { protocol: 'udp' as const, port: 53 }
  const both = [
    { ...shared, address: undefined, backends: [pod] },
    { ...shared, address: NODE, backends: [{ ip: '10.42.0.3', port: 53 }] },
  ]
  const to = { ip: NODE, port: 53 }
  expect(isStale(both, { to, from: pod })).toBe(false)
  expect(isStale(both, { to, from: { ip: '10.42.0.3', port: 53 } })).toBe(false)
  expect(isStale(both, { to, from: { ip: '10.42.0.4', port: 53 } })).toBe(true)
})

test('a line of conntrack is read, and forgotten by what it says', () => {
  const line =
    'udp      17 29 src=10.42.9.9 dst=10.43.0.5 sport=47618 dport=53 [UNREPLIED] ' +
    'src=10.42.0.2 dst=10.42.9.9 sport=5353 dport=47618 mark=0 use=1'
  const flow = parseFlow(line)!
  expect(flow).toEqual({ to: { ip: '10.43.0.5', port: 53 }, from: pod })
  expect(forgetCommand(flow).join(' ')).toBe(
    'conntrack -D -f ipv4 -p udp --orig-dst 10.43.0.5 --orig-port-dst 53 ' +
      '--reply-src 10.42.0.2 --reply-port-src 5353',
  )
  expect(parseFlow(line.replace('udp ', 'tcp '))).toBeUndefined()
  expect(parseFlow('udp 17 29 src=::1 dst=::1 sport=1 dport=2')).toBeUndefined()
  expect(parseFlow('')).toBeUndefined()
})
