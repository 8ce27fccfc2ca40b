// Whether the ranges of a cluster fit each other and this machine. Pure.

import { addressAt, type Cidr, contains, parseCidr, parseIp } from '../lib/ip.ts'
import { UserError } from '../lib/user-error.ts'
import type { Settings } from './options.ts'

/** Throws UserError for ranges that overlap, or that hold what lies elsewhere. */
export function checkRanges(
  settings: Pick<Settings, 'cluster-cidr' | 'service-cidr' | 'cluster-dns'>,
  nodeIp: string,
): void {
  const { 'cluster-cidr': pods, 'service-cidr': services, 'cluster-dns': dns } = settings
  if (overlap(parseCidr(pods)!, parseCidr(services)!)) {
    throw new UserError(
      `--service-cidr ${services}: overlaps --cluster-cidr ${pods}: give ranges that are apart`,
    )
  }
  for (const [option, range] of [
    ['--cluster-cidr', pods],
    ['--service-cidr', services],
  ] as const) {
    if (!contains(parseCidr(range)!, parseIp(nodeIp)!)) continue
    throw new UserError(
      `${option} ${range}: holds the address of this machine, ${nodeIp}: give another range`,
    )
  }
  if (dns !== undefined && !contains(parseCidr(services)!, parseIp(dns)!)) {
    throw new UserError(
      `--cluster-dns ${dns}: is not in --service-cidr ${services}: give an address inside it`,
    )
  }
}

function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, addressAt(b, 0)) || contains(b, addressAt(a, 0))
}
