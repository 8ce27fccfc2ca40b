// Nodes on one network and on different ones, for real, in a process of its own.

import { test } from 'bun:test'
import { cannotIsolate, runIsolated } from '../support/isolated.ts'

const reason = cannotIsolate(['nft', 'ip', 'bridge', 'busybox', 'conntrack', 'curl', 'bash'])
if (reason !== undefined) console.log(`skipped: tests of the network between nodes (${reason})`)

test.skipIf(reason !== undefined)(
  'pods of different nodes reach each other',
  () => runIsolated('./test/contract/network.real.ts'),
  120_000,
)

test.skipIf(reason !== undefined)(
  "a node's rules hold against others in the same kernel",
  () => runIsolated('./test/contract/firewall.real.ts'),
  180_000,
)
