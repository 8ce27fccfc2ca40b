import { expect, test } from 'bun:test'
import {
  acceptsForward,
  droppingForwardChains,
  forwardAccepts,
  hostPortChange,
  nodeTable,
} from './host-rules.ts'

const rules = {
  bridge: 'kedge0',
  clusterCidrs: ['10.42.0.0/16'],
  podCidrs: ['10.42.0.0/24'],
  serviceCidr: '10.43.0.0/16',
}
const port = { hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '', podIp: '10.42.0.5' }

test('pods that leave the cluster are masqueraded, pods among themselves are not', () => {
  const outside = 'ip daddr != { 10.42.0.0/16, 224.0.0.0/4 } oifname != "kedge0"'
  expect(nodeTable(rules, [])).toContain(`ip saddr 10.42.0.0/24 ${outside} masquerade`)
})

test('host ports are elements, bound to an address when one is given', () => {
  expect(hostPortChange('add', [port]).split('\n')[0]).toBe(
    'add element inet kedge-node ports { tcp . 8080 : 10.42.0.5 . 80 }',
  )
  const bound = { ...port, protocol: 'UDP', hostIP: '192.168.1.11' }
  expect(hostPortChange('delete', [bound])).toContain(
    'delete element inet kedge-node ports_at { 192.168.1.11 . udp . 8080 }',
  )
  const any = { ...port, hostIP: '0.0.0.0' }
  expect(hostPortChange('add', [any])).toBe(hostPortChange('add', [port]))
})

test('rebuilding the table keeps the host ports', () => {
  expect(nodeTable(rules, [port])).toContain('tcp . 8080 : 10.42.0.5 . 80')
})

test('chains that drop what they do not know are let through, others left alone', () => {
  const chain = (name: string, hook: string, policy: string) => ({
    chain: { family: 'ip', table: 'filter', name, hook, policy },
  })
  const listing = {
    nftables: [
      { metainfo: {} },
      chain('FORWARD', 'forward', 'drop'),
      chain('INPUT', 'input', 'drop'),
      chain('other', 'forward', 'accept'),
    ],
  }
  const found = droppingForwardChains(listing)
  expect(found).toEqual([{ family: 'ip', table: 'filter', name: 'FORWARD' }])
  expect(forwardAccepts(found[0]!, ['10.42.0.0/16', 'fd42::/56'])).toBe(
    'insert rule ip filter FORWARD ip saddr 10.42.0.0/16 accept\n' +
      'insert rule ip filter FORWARD ip daddr 10.42.0.0/16 accept\n',
  )
})

test('a chain that lets pods through already is recognised', () => {
  const listing = 'ip saddr 10.42.0.0/16 counter accept\n ip daddr 10.42.0.0/16 accept\n'
  expect(acceptsForward(listing, ['10.42.0.0/16'])).toBe(true)
  expect(acceptsForward(listing, ['10.42.0.0/16', '10.50.0.0/16'])).toBe(false)
  expect(acceptsForward('ip saddr 10.42.0.0/16 accept', ['10.42.0.0/16'])).toBe(false)
})
