// What every node must know of the cluster, and how an agent learns it: from its server, and from
// its own disk when the server is away.

import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import { addressAt, formatIp, parseCidr } from '../lib/ip.ts'
import type { ClusterFacts } from '../protocol/cluster.ts'
import type { Settings } from './options.ts'

/** The address of the cluster DNS is the tenth of the Service range unless told otherwise. */
export function clusterSettingsOf(settings: Settings): ClusterFacts {
  const serviceCidr = settings['service-cidr']
  const tenth = formatIp(addressAt(parseCidr(serviceCidr)!, 10))
  return {
    clusterCidr: settings['cluster-cidr'],
    serviceCidr,
    clusterDns: settings['cluster-dns'] ?? tenth,
    clusterDomain: settings['cluster-domain'],
  }
}

/** The server does not take this node for who it says it is. */
export class UnauthorizedError extends Error {
  override readonly name = 'UnauthorizedError'
}

/** Asks with `fetchSettings`; remembers the answer, and falls back on what was remembered. Throws
 * UnauthorizedError when asking again will not help. */
export async function learnClusterSettings(
  path: string,
  fetchSettings: () => Promise<ClusterFacts>,
): Promise<ClusterFacts> {
  try {
    const settings = await fetchSettings()
    const text = `${JSON.stringify(settings, null, 2)}\n`
    if ((await readFileIfAny(path)) !== text) await writeFileAtomic(path, text)
    return settings
  } catch (error) {
    if (error instanceof UnauthorizedError) throw error
    const remembered = await readFileIfAny(path)
    if (remembered === undefined) throw error
    return JSON.parse(remembered)
  }
}
