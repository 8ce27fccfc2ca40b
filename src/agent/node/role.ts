// The role label of a node that runs a server. A node may not give itself a role (NodeRestriction),
// so this takes a client with more rights than the agent's own.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { isNotFound } from '../../api/status.ts'
import type { Client } from '../../kit/client.ts'
import type { Clock } from '../../lib/clock.ts'

const ROLE_LABEL = 'node-role.kubernetes.io/control-plane'
const RETRY_MS = 1_000

/** Waits until the node is registered, then labels it. Rejects when it may not. */
export async function labelServerNode(
  client: Client,
  clock: Clock,
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      const node = await client.get(nodes, { name: nodeName }, signal)
      if (node.metadata.labels?.[ROLE_LABEL] === 'true') return
      const body = { metadata: { labels: { [ROLE_LABEL]: 'true' } } }
      await client.patch(nodes, { name: nodeName }, { type: 'merge', body }, signal)
      return
    } catch (error) {
      if (!isNotFound(error)) throw error
      await clock.sleep(RETRY_MS, signal)
    }
  }
}
