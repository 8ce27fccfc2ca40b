import { expect, test } from 'bun:test'
import {
  type LocalAddress,
  type Peer,
  parseAddresses,
  parseNeighbours,
  parseRoutes,
  planCommands,
  planRoutes,
  VXLAN_DEVICE,
  vxlanMac,
} from './routes.ts'

const local: LocalAddress[] = [{ device: 'eth0', ip: '192.168.1.11', cidr: '192.168.1.11/24' }]
const near: Peer = { name: 'b', podCidrs: ['10.42.1.0/24'], internalIps: ['192.168.1.12'] }
const far: Peer = { name: 'c', podCidrs: ['10.42.2.0/24'], internalIps: ['203.0.113.7'] }
const nothing = { routes: [], neighbours: [] }

test('a peer on the same network is reached by a host route', () => {
  expect(planRoutes([near], local)).toEqual({
    routes: [{ dst: '10.42.1.0/24', via: '192.168.1.12', device: undefined }],
    neighbours: [],
  })
})

test('any other peer is reached through VXLAN', () => {
  expect(planRoutes([far], local)).toEqual({
    routes: [{ dst: '10.42.2.0/24', via: '10.42.2.0', device: VXLAN_DEVICE }],
    neighbours: [{ ip: '10.42.2.0', mac: vxlanMac('c'), underlay: '203.0.113.7' }],
  })
})

test('peers without a range or an address, and ourselves, are left out', () => {
  const peers = [
    { ...near, podCidrs: [] },
    { ...near, internalIps: [] },
    { ...near, internalIps: ['192.168.1.11'] },
    { ...near, internalIps: ['fd00::2'] },
  ]
  expect(planRoutes(peers, local)).toEqual(nothing)
})

test('a converged node gets no route commands', () => {
  const plan = planRoutes([near], local)
  expect(planCommands(plan, plan)).toEqual({ ip: [], bridge: [] })
})

test('routes of peers that left or moved are replaced', () => {
  const before = planRoutes([near, far], local)
  const moved = { ...near, internalIps: ['192.168.1.99'] }
  const { ip, bridge } = planCommands(planRoutes([moved], local), before)
  expect(ip).toEqual([
    'route del 10.42.1.0/24 proto 107',
    'route del 10.42.2.0/24 proto 107',
    'route replace 10.42.1.0/24 via 192.168.1.99 proto 107',
  ])
  expect(bridge).toEqual([`fdb del ${vxlanMac('c')} dev kedge-vxlan dst 203.0.113.7`])
})

test('a new VXLAN peer gets its neighbour before its route', () => {
  const { ip, bridge } = planCommands(planRoutes([far], local), nothing)
  const mac = vxlanMac('c')
  expect(ip).toEqual([
    `neigh replace 10.42.2.0 lladdr ${mac} dev kedge-vxlan nud permanent`,
    'route replace 10.42.2.0/24 via 10.42.2.0 dev kedge-vxlan onlink proto 107',
  ])
  expect(bridge).toEqual([`fdb replace ${mac} dev kedge-vxlan dst 203.0.113.7 self permanent`])
})

test('VXLAN addresses are local, for one host, and differ between nodes', () => {
  const macs = Array.from({ length: 50 }, (_, i) => vxlanMac(`node-${i}`))
  expect(new Set(macs).size).toBe(50)
  for (const mac of macs) expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2)
})

test('what ip and bridge print is read back', () => {
  const routes = JSON.stringify([
    { dst: '10.42.1.0/24', gateway: '192.168.1.12', dev: 'eth0' },
    { dst: '10.42.2.0/24', gateway: '10.42.2.0', dev: VXLAN_DEVICE },
  ])
  expect(parseRoutes(routes)).toEqual(planRoutes([near, far], local).routes as never)
  const fdb = JSON.stringify([{ mac: '02:aa', dst: '203.0.113.7' }, { mac: '33:33' }])
  expect(parseNeighbours(fdb)).toEqual([{ ip: '', mac: '02:aa', underlay: '203.0.113.7' }])
  const addresses = JSON.stringify([
    { ifname: 'eth0', addr_info: [{ local: '192.168.1.11', prefixlen: 24, scope: 'global' }] },
    { ifname: 'kedge0', addr_info: [{ local: '10.42.0.1', prefixlen: 24, scope: 'global' }] },
    { ifname: 'eth1', addr_info: [{ local: 'fe80::1', prefixlen: 64, scope: 'link' }] },
  ])
  expect(parseAddresses(addresses, ['kedge0'])).toEqual(local)
})
