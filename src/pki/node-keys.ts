// How the cluster keeps which key a node's name belongs to: a ConfigMap that the server reads and
// `kedge node reset` empties.

import { createHash, type KeyObject } from 'node:crypto'
import { sha256 } from './keys.ts'

export const NODE_KEYS = { namespace: 'kube-system', label: 'kedge.dev/node-keys' } as const

/** Stands for the node in the server's own process, which needs no certificate. */
export const OWN_NODE_KEY = 'own-node'
/** Names of objects end at 253; a longer one is told apart by its hash. */
const NAME_MAX = 240

export function nodeKeysName(node: string): string {
  if (node.length <= NAME_MAX) return `node-keys.${node}`
  return `node-keys.${node.slice(0, NAME_MAX - 70)}.${sha256(node).toString('hex')}`
}

export function parseNodeKeys(data: Readonly<Record<string, string>>): string[] {
  return (data.keys ?? '').split(',').filter((key) => key !== '')
}

/** What a key is known by: SHA-256 over its public half, in hexadecimal. */
export function keyFingerprint(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}
