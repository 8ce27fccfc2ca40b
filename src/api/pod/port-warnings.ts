// Ports of containers that get in each other's way, or in that of the reader.

import type { ContainerPort, PodSpec } from '../schema/generated/types.ts'
import { containersWithPaths } from './spec/check.ts'

type Placed = { at: string; port: ContainerPort }

export function portWarnings(at: string, spec: PodSpec): string[] {
  const ports = containersWithPaths({ spec }, at).flatMap(({ container, path }) =>
    (container.ports ?? []).map((port, index) => ({ at: `${path}.ports[${index}]`, port })),
  )
  return [
    ...ports.flatMap((placed, index) => clashes(placed, ports.slice(0, index))),
    ...names(ports),
  ]
}

function clashes({ at, port }: Placed, others: readonly Placed[]): string[] {
  const warnings: string[] = []
  if (port.hostIP && !port.hostPort) {
    warnings.push(`${at}: hostIP set without hostPort: ${goText(port)}`)
  }
  for (const other of others) {
    const isSamePort =
      other.port.containerPort === port.containerPort && other.port.protocol === port.protocol
    if (!isSamePort) continue
    const clash = clashOf(port, other.port)
    if (clash !== undefined) warnings.push(`${at}: ${clash} port definition with ${other.at}`)
  }
  return warnings
}

function clashOf(a: ContainerPort, b: ContainerPort): string | undefined {
  const [ip, otherIp] = [a.hostIP ?? '', b.hostIP ?? '']
  const [port, otherPort] = [a.hostPort ?? 0, b.hostPort ?? 0]
  if (ip === otherIp && port === otherPort) return 'duplicate'
  if (port === 0 || otherPort === 0) return 'overlapping'
  const isOneOpen = (ip === '') !== (otherIp === '')
  return port === otherPort && isOneOpen ? 'dangerously ambiguous' : undefined
}

function names(ports: readonly Placed[]): string[] {
  const first = new Map<string, string>()
  return ports.flatMap(({ at, port: { name } }) => {
    if (!name) return []
    const other = first.get(name)
    if (other === undefined) {
      first.set(name, at)
      return []
    }
    const use = `services and probes that select ports by name will use ${other}`
    return [`${at}: duplicate port name "${name}" with ${other}, ${use}`]
  })
}

/** A port as Go prints a value. */
function goText({ name, hostPort, containerPort, protocol, hostIP }: ContainerPort): string {
  const numbers = `HostPort:${hostPort ?? 0} ContainerPort:${containerPort}`
  return `{Name:${name ?? ''} ${numbers} Protocol:${protocol ?? ''} HostIP:${hostIP ?? ''}}`
}
