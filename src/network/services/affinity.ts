// Clients that stay with one endpoint, when that endpoint goes. Pure.

import type { ServiceRules } from './rules.ts'

/** The endpoints of ports with affinity that `after` no longer has, as `ip . port`. */
export function planLostEndpoints(before: ServiceRules, after: ServiceRules): ReadonlySet<string> {
  const alive = stickyEndpoints(after)
  return new Set([...stickyEndpoints(before)].filter((endpoint) => !alive.has(endpoint)))
}

function stickyEndpoints({ rules }: ServiceRules): Set<string> {
  const found = new Set<string>()
  for (const { affinity, inside } of rules.values()) {
    if (affinity === undefined || inside.kind !== 'balance') continue
    for (const { ip, port } of inside.backends) found.add(`${ip} . ${port}`)
  }
  return found
}

/** What `nft -j list map` says of a map, as far as it matters here. */
type MapListing = { nftables: { map?: { elem?: [ListedKey, { concat: [string, number] }][] } }[] }
type ListedKey = { elem?: { val: { concat: [string, number] } }; concat?: [string, number] }

/**
 * Clients that stick to an endpoint which is gone choose anew: the keys to take out of `affinity`.
 */
export function planForgottenClients(listing: MapListing, lost: ReadonlySet<string>): string[] {
  const elements = listing.nftables.flatMap(({ map }) => map?.elem ?? [])
  return elements.flatMap(([key, { concat }]) => {
    const [client, mark] = key.elem?.val.concat ?? key.concat ?? ['', 0]
    return lost.has(concat.join(' . ')) ? [`${client} . ${mark}`] : []
  })
}
