// `kedge node reset`: frees the name of a node for the next machine that joins under it.

import { configMaps } from '../api/kinds/core/configmap/row.ts'
import { nodes } from '../api/kinds/core/node/row.ts'
import type { ConfigMap } from '../api/schema/generated/types.ts'
import { isNotFound } from '../api/status.ts'
import type { Client } from '../kit/client.ts'
import { UserError } from '../lib/user-error.ts'
import { NODE_KEYS, nodeKeysName, OWN_NODE_KEY, parseNodeKeys } from '../pki/node-keys.ts'
import { asAdmin } from './admin.ts'
import type { Output } from './output.ts'

export async function resetNode(
  name: string,
  { kubeconfig }: { kubeconfig: string },
  output: Output,
): Promise<void> {
  await asAdmin(kubeconfig, async ({ client }, signal) => {
    const where = { namespace: NODE_KEYS.namespace, name: nodeKeysName(name) }
    const data = { node: name, keys: '' }
    const record = await orNone(client.get(configMaps, where, signal))
    if (record === undefined) {
      await requireNode(client, name, signal)
      const labels = { [NODE_KEYS.label]: 'true' }
      const made: ConfigMap = { metadata: { ...where, labels }, data }
      await client.create(configMaps, made, signal)
    } else {
      if (parseNodeKeys(record.data ?? {}).includes(OWN_NODE_KEY)) {
        throw new UserError(`node ${name} is the server's own: it needs no reset`)
      }
      await client.patch(configMaps, where, { type: 'merge', body: { data } }, signal)
    }
    output.write(
      `node ${name} is reset: certificates under this name are no longer taken, and the next ` +
        'machine that joins under it gets it\n',
    )
  })
}

async function requireNode(client: Client, name: string, signal: AbortSignal): Promise<void> {
  if ((await orNone(client.get(nodes, { name }, signal))) !== undefined) return
  throw new UserError(
    `there is no node ${name}, and none has joined as that: see kubectl get nodes`,
  )
}

async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
