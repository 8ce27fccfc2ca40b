// The variables that tell a container where the Services of its namespace are. Pure.

import type { Service } from '../../api/schema/generated/types.ts'

/** The one Service that every pod is told of, whatever it asks for. */
const MASTER = { namespace: 'default', name: 'kubernetes' }

export function serviceEnv(
  services: readonly Service[],
  namespace: string,
  enableLinks: boolean,
): Map<string, string> {
  const chosen = new Map<string, Service>()
  for (const service of services) {
    const { metadata } = service
    const clusterIp = service.spec?.clusterIP
    if (!clusterIp || clusterIp === 'None' || !service.spec?.ports?.length) continue
    const isMaster = metadata.namespace === MASTER.namespace && metadata.name === MASTER.name
    const isLinked = metadata.namespace === namespace && enableLinks
    // A Service called kubernetes in the pod's own namespace comes before the master's.
    if (isMaster && !chosen.has(MASTER.name)) chosen.set(MASTER.name, service)
    else if (isLinked) chosen.set(metadata.name!, service)
  }
  return new Map([...chosen.values()].flatMap(variablesOf))
}

function variablesOf(service: Service): [string, string][] {
  const prefix = variableName(service.metadata.name!)
  const ip = service.spec!.clusterIP!
  const host = ip.includes(':') ? `[${ip}]` : ip
  const ports = service.spec!.ports!
  const variables: [string, string][] = [
    [`${prefix}_SERVICE_HOST`, ip],
    [`${prefix}_SERVICE_PORT`, String(ports[0]!.port)],
  ]
  for (const { name, port } of ports) {
    if (name) variables.push([`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port)])
  }
  for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
    const scheme = protocol.toLowerCase()
    const url = `${scheme}://${host}:${port}`
    if (index === 0) variables.push([`${prefix}_PORT`, url])
    const portPrefix = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
    variables.push(
      [portPrefix, url],
      [`${portPrefix}_PROTO`, scheme],
      [`${portPrefix}_PORT`, String(port)],
      [`${portPrefix}_ADDR`, ip],
    )
  }
  return variables
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase()
}
