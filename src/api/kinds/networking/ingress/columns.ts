import type { Column } from '../../../resource.ts'
import type { Ingress, IngressRule } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { textColumn } from '../../../workload/columns.ts'

export const ingressColumns: readonly Column<Ingress>[] = [
  textColumn('Class', 0, 'The class, by which a controller knows what is its own.', ({ spec }) => {
    return spec.ingressClassName ?? '<none>'
  }),
  textColumn('Hosts', 0, 'Hosts that the rules are about.', ({ spec }) => hostsOf(spec.rules)),
  textColumn('Address', 0, 'Where it can be reached.', ({ status }) => {
    const ends = status?.loadBalancer?.ingress ?? []
    const names = ends.map(({ ip, hostname }) => ip || hostname || '').filter((name) => name !== '')
    return [...new Set(names)].sort().join(',')
  }),
  textColumn('Ports', 0, 'Ports that it is reached at.', ({ spec }) => {
    return (spec.tls ?? []).length > 0 ? '80, 443' : '80'
  }),
  ageColumn,
]

const HOSTS_SHOWN_MAX = 3

/** Upstream counts what it leaves out in rules, and asks for one after the last host it shows. */
function hostsOf(rules: readonly IngressRule[] = []): string {
  const shown: string[] = []
  let hasMore = false
  for (const { host } of rules) {
    if (shown.length === HOSTS_SHOWN_MAX) hasMore = true
    if (!hasMore && host) shown.push(host)
  }
  if (shown.length === 0) return '*'
  const more = hasMore ? ` + ${rules.length - HOSTS_SHOWN_MAX} more...` : ''
  return shown.join(',') + more
}
