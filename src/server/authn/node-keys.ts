// Which key a node's name belongs to: the first that joined under it, and those that it was renewed
// with. Kept as one ConfigMap of kube-system for each name, which only administrators may change.
//
//   no record ──(first join)──► bound ──(renewal)──► bound to the new key and the one before
//                                 │ kedge node reset NAME
//                                 ▼
//                               reset: no key is good; the next join is the first again
//
// A certificate of another key is refused, so that a reset also ends what was stolen.

import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import { nodes } from '../../api/kinds/core/node/row.ts'
import type { ConfigMap, Node } from '../../api/schema/generated/types.ts'
import { ApiError, conflict } from '../../api/status.ts'
import { formatTime } from '../../api/time.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import { NODE_KEYS, nodeKeysName, parseNodeKeys } from '../../pki/node-keys.ts'
import type { Store } from '../../store/store.ts'
import { nodeNameOf } from '../authz/node.ts'
import { readObject } from '../storage/reader.ts'
import { encodeStored, storeKey } from '../storage/stored.ts'
import type { CredentialCheck } from './authenticator.ts'

/** The newest and the one before: a node may end between getting a certificate and keeping it. */
const KEYS_MAX = 2
const ATTEMPTS_MAX = 20

type Claim = {
  /** SHA-256 of the public key, in hexadecimal. */
  key: string
  /** The key that the node shows while it asks for another one; undefined for who joins anew. */
  shown?: string | undefined
  dryRun?: boolean
}

type Deps = { store: Store; clock: Clock; random: Random }

export class NodeKeys {
  readonly #deps: Deps
  /** Records as read, until they change. */
  readonly #read = new Map<string, { revision: number; keys: readonly string[] }>()

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** Undefined where no record was ever made; empty after a reset. */
  keysOf(node: string): readonly string[] | undefined {
    const entry = this.#deps.store.get(keyOf(node))
    if (entry === undefined) {
      this.#read.delete(node)
      return undefined
    }
    const known = this.#read.get(node)
    if (known?.revision === entry.revision) return known.keys
    const map: ConfigMap = JSON.parse(entry.value)
    const keys = parseNodeKeys(map.data ?? {})
    this.#read.set(node, { revision: entry.revision, keys })
    return keys
  }

  /** True for a key that the name does not belong to. */
  isForeign(node: string, key: string): boolean {
    const keys = this.keysOf(node)
    return keys !== undefined && !keys.includes(key)
  }

  /** Binds the name to the key, unless it belongs to another one: then the answer is false. */
  async claim(node: string, { key, shown, dryRun = false }: Claim): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const keys = this.keysOf(node)
      const isFree = keys === undefined ? shown !== undefined || !this.#hasSpoken(node) : !keys[0]
      const isOwn = keys?.includes(key) || (shown !== undefined && keys?.includes(shown))
      if (!isFree && !isOwn) return false
      const wanted = [...new Set([key, ...(shown === undefined ? [] : [shown])])]
      if (dryRun || keys?.join() === wanted.join()) return true
      if (await this.#write(node, wanted.slice(0, KEYS_MAX))) return true
    }
    throw conflict({ group: '', plural: 'nodes' }, node)
  }

  /** A node from before there were records: its name is not for the next who comes. */
  #hasSpoken(name: string): boolean {
    const node = readObject<Node>(this.#deps.store, nodes, { name })
    return Boolean(node?.status?.nodeInfo?.kubeletVersion)
  }

  async #write(node: string, keys: readonly string[]): Promise<boolean> {
    const { store, clock, random } = this.#deps
    const key = keyOf(node)
    const entry = store.get(key)
    const data = { node, keys: keys.join(',') }
    if (entry !== undefined) {
      const map: ConfigMap = { ...JSON.parse(entry.value), data }
      const text = encodeStored(configMaps, map as never)
      return (await store.update(key, text, entry.revision)).ok
    }
    const metadata = {
      name: nodeKeysName(node),
      namespace: NODE_KEYS.namespace,
      uid: random.uuid(),
      creationTimestamp: formatTime(clock.nowMs()),
      labels: { [NODE_KEYS.label]: 'true' },
    }
    return (await store.create(key, encodeStored(configMaps, { metadata, data } as never))).ok
  }
}

function keyOf(node: string): string {
  return storeKey(configMaps, NODE_KEYS.namespace, nodeKeysName(node))
}

/** Lets nobody be a node by a certificate of a key that its name does not belong to. */
export function withNodeKeys(keys: NodeKeys, users: CredentialCheck): CredentialCheck {
  return {
    check(call) {
      const found = users.check(call)
      if (found === undefined || found instanceof Promise) return found
      const node = nodeNameOf(found)
      const key = call.env.clientCertificate?.publicKeySha256
      if (!node || key === undefined || !keys.isForeign(node, key)) return found
      throw new ApiError(401, 'Unauthorized', foreignKey(node))
    },
  }
}

/** What a person must know whose machine is refused. */
export function foreignKey(node: string): string {
  return (
    `the name ${JSON.stringify(node)} belongs to another key: if this is another machine, give it` +
    ' a name of its own (KEDGE_NODE_NAME or --node-name); if it is the same one made anew, run' +
    ` kedge node reset ${node} on the server and let it join again`
  )
}
