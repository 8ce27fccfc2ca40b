// What nodes must know of the cluster that they join: ranges, DNS. For whoever may read the path.

import type { Server } from '../server.ts'
import type { Answer } from '../transport/call.ts'

export function clusterFacts({ settings }: Server): Answer {
  const body = `${JSON.stringify(settings.clusterFacts ?? {})}\n`
  return { code: 200, headers: { 'content-type': 'application/json' }, body }
}
