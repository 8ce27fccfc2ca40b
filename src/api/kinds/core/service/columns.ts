// What `kubectl get services` shows.

import type { Column } from '../../../resource.ts'
import type { Service } from '../../../schema/generated/types.ts'
import { ageColumn, labelsCell } from '../../../table/cells.ts'

export const serviceColumns: readonly Column<Service>[] = [
  text('Type', 0, 'How it is reached.', ({ spec }) => spec.type ?? ''),
  text('Cluster-IP', 0, 'Its address inside the cluster.', ({ spec }) => {
    return spec.clusterIPs?.[0] ?? '<none>'
  }),
  text('External-IP', 0, 'Its addresses for the world.', externalIpCell),
  text('Port(s)', 0, 'Ports, with the node port where there is one.', portsCell),
  ageColumn,
  text('Selector', 1, 'Labels of the pods behind it.', ({ spec }) => labelsCell(spec.selector)),
]

function text(
  name: string,
  priority: 0 | 1,
  description: string,
  cell: (service: Service) => string,
): Column<Service> {
  return { name, type: 'string', priority, description, cell }
}

function externalIpCell({ spec, status }: Service): string {
  const external = spec.externalIPs ?? []
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.join(',') || '<none>'
    case 'LoadBalancer': {
      const ingress = (status?.loadBalancer?.ingress ?? []).map(
        ({ ip, hostname }) => ip || hostname,
      )
      const addresses = [...new Set(ingress.filter((address) => !!address))].sort()
      return [...addresses, ...external].join(',') || '<pending>'
    }
    case 'ExternalName':
      return spec.externalName ?? ''
    default:
      return '<unknown>'
  }
}

function portsCell({ spec }: Service): string {
  const texts = (spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return texts.join(',') || '<none>'
}
