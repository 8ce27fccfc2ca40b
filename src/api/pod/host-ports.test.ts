import { expect, test } from 'bun:test'
import { hostPortsOf, portsConflict } from './host-ports.ts'

const port = (hostPort: number, hostIP = '', protocol = 'TCP') => ({
  hostPort,
  containerPort: 80,
  protocol,
  hostIP,
})

test('regular containers and sidecars take ports of the node, other init containers do not', () => {
  const ports = (hostPort: number) => [{ hostPort, containerPort: 80 }]
  const spec = {
    containers: [{ name: 'a', ports: ports(1) }],
    initContainers: [
      { name: 'i', ports: ports(2) },
      { name: 's', restartPolicy: 'Always', ports: ports(3) },
    ],
  }
  expect(hostPortsOf(spec)).toEqual([port(1), port(3)])
})

test('a port conflicts on the same address, or where one of the two is on all', () => {
  expect(portsConflict(port(1), port(1, '10.0.0.1'))).toBe(true)
  expect(portsConflict(port(1, '0.0.0.0'), port(1, '10.0.0.1'))).toBe(true)
  expect(portsConflict(port(1, '10.0.0.2'), port(1, '10.0.0.1'))).toBe(false)
  expect(portsConflict(port(1), port(1, '', 'UDP'))).toBe(false)
  expect(portsConflict(port(1), port(2))).toBe(false)
})
