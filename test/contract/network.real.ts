// Pods of different nodes reach each other. Nodes are network namespaces; run by network.test.ts in
// namespaces of its own, so that nothing of it can be left behind.
//
//   a 10.9.1.11 ─┐                        ┌─ c 10.9.2.13
//                ├─ lan1 ─ router ─ lan2 ─┘
//   b 10.9.1.12 ─┘

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'kedge-network-'))
const PROGRAM = join(import.meta.dir, '../support/network-node.ts')
const CLUSTER = '10.42.0.0/16'
type Node = { name: string; ip: string; podCidr: string; gateway: string }
const a = node('a', '10.9.1.11', 0)
const b = node('b', '10.9.1.12', 1)
const c = node('c', '10.9.2.13', 2)

function node(name: string, ip: string, index: number): Node {
  const gateway = ip.replace(/\d+$/, '1')
  return { name, ip, podCidr: `10.42.${index}.0/24`, gateway }
}

function ok(argv: string[], stdin = ''): string {
  const done = Bun.spawnSync(argv, { stdin: Buffer.from(stdin), stderr: 'pipe' })
  if (done.exitCode === 0) return done.stdout.toString()
  throw new Error(`${argv.join(' ')}: ${done.stderr}${done.stdout}`)
}

const inside = (name: string, ...argv: string[]) => ['nsenter', `--net=/run/netns/${name}`, ...argv]

function plug(name: string, bridge: string, cidr: string, device = 'eth0'): void {
  ok(['ip', 'link', 'add', `${name}-${bridge}`, 'type', 'veth', 'peer', device, 'netns', name])
  ok(['ip', 'link', 'set', `${name}-${bridge}`, 'master', bridge, 'up'])
  ok(inside(name, 'ip', 'addr', 'add', cidr, 'dev', device))
  ok(inside(name, 'ip', 'link', 'set', device, 'up'))
}

/** Configures a node that knows `peers`, with one pod, and returns the address of the pod. */
function configure(self: Node, peers: Node[]): string {
  const settings = {
    nodeName: self.name,
    podCidrs: [self.podCidr],
    clusterCidrs: [CLUSTER],
    peers: peers.map(({ name, ip, podCidr }) => ({ name, podCidrs: [podCidr], internalIps: [ip] })),
  }
  const argv = [process.execPath, PROGRAM, join(folder, self.name), JSON.stringify(settings), 'pod']
  return JSON.parse(ok(inside(self.name, ...argv)))[0]
}

/** True when the pod of a node gets an answer from an address. */
function reaches(from: Node, ip: string): boolean {
  const netns = `--net=${join(folder, from.name, 'pod')}`
  const argv = ['nsenter', netns, 'busybox', 'ping', '-c', '1', '-W', '2', ip]
  return Bun.spawnSync(argv).exitCode === 0
}

beforeAll(() => {
  // A mount namespace of our own has this folder to itself.
  ok(['mkdir', '-p', '/run/netns'])
  ok(['mount', '-t', 'tmpfs', 'tmpfs', '/run/netns'])
  for (const name of ['lan1', 'lan2']) {
    ok(['ip', 'link', 'add', name, 'type', 'bridge'])
    ok(['ip', 'link', 'set', name, 'up'])
  }
  for (const { name } of [a, b, c, { name: 'router' }]) ok(['ip', 'netns', 'add', name])
  plug('router', 'lan1', '10.9.1.1/24', 'eth1')
  plug('router', 'lan2', '10.9.2.1/24', 'eth2')
  ok(inside('router', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'))
  for (const one of [a, b, c]) {
    plug(one.name, one === c ? 'lan2' : 'lan1', `${one.ip}/24`)
    ok(inside(one.name, 'ip', 'route', 'add', 'default', 'via', one.gateway))
    // Like Docker: what is not known is not forwarded.
    const rules =
      'add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n'
    ok(inside(one.name, 'nft', '-f', '-'), rules)
  }
})
afterAll(() => {
  for (const { name } of [a, b, c]) ok(['umount', join(folder, name, 'pod')])
  rmSync(folder, { recursive: true, force: true })
})

let podOfB = ''
let podOfC = ''

test('pods of nodes on one network reach each other by routes', () => {
  configure(a, [b])
  podOfB = configure(b, [a])
  expect(reaches(a, podOfB)).toBe(true)
  const routes = ok(inside('a', 'ip', 'route', 'show', 'proto', '107'))
  expect(routes.trim()).toBe(`${b.podCidr} via ${b.ip} dev eth0`)
})

test('pods of nodes on different networks reach each other through VXLAN', () => {
  configure(a, [b, c])
  configure(b, [a, c])
  podOfC = configure(c, [a, b])
  expect(reaches(a, podOfC)).toBe(true)
  expect(reaches(b, podOfC)).toBe(true)
  expect(reaches(a, podOfB)).toBe(true)
  expect(ok(inside('a', 'ip', 'route', 'show', c.podCidr))).toContain('dev kedge-vxlan')
})

test('pods reach the world under the address of their node, and each other under their own', () => {
  const seen = (where: string, by: string) => {
    const sniff = Bun.spawnSync(
      inside(where, 'nft', 'list', 'set', 'ip', 'seen', by),
    ).stdout.toString()
    return /elements = \{ (.*) \}/.exec(sniff)?.[1]
  }
  const rules =
    'add table ip seen\n' +
    'add set ip seen sources { type ipv4_addr; flags dynamic; }\n' +
    'add chain ip seen in { type filter hook input priority 0; }\n' +
    'add rule ip seen in icmp type echo-request add @sources { ip saddr }\n'
  ok(inside('router', 'nft', '-f', '-'), rules)
  expect(reaches(a, '10.9.1.1')).toBe(true)
  expect(seen('router', 'sources')).toBe(a.ip)
  const pod = join(folder, 'b', 'pod')
  ok(['nsenter', `--net=${pod}`, 'nft', '-f', '-'], rules)
  expect(reaches(a, podOfB)).toBe(true)
  const listing = ok(['nsenter', `--net=${pod}`, 'nft', 'list', 'set', 'ip', 'seen', 'sources'])
  expect(listing).toContain('10.42.0.')
  expect(listing).not.toContain(a.ip)
})

test('configuring again changes nothing, and a peer that left is forgotten with its device', () => {
  const state = () =>
    [['route'], ['neigh', 'show', 'nud', 'permanent'], ['-d', 'link', 'show', 'type', 'vxlan']]
      .map((args) => ok(inside('a', 'ip', ...args)))
      .concat(ok(inside('a', 'nft', 'list', 'ruleset')))
      .join('\n')
      .replace(/counter packets \d+ bytes \d+/g, '')
  const before = state()
  configure(a, [b, c])
  expect(state()).toBe(before)
  configure(a, [b])
  expect(ok(inside('a', 'ip', 'link', 'show', 'type', 'vxlan'))).toBe('')
  expect(ok(inside('a', 'ip', 'route', 'show', 'proto', '107'))).not.toContain(c.podCidr)
  expect(reaches(a, podOfB)).toBe(true)
})
