// Makes the cluster DNS address exist on this node, on a bridge of its own that never carries
// a packet to anywhere else. A bridge, because every kernel that runs our pods knows bridges; some
// know no dummy interfaces.

import { type Processes, runOk } from '../lib/process.ts'

const DNS_INTERFACE = 'kedge-dns'

export type AddressPlan = { address: string; serviceRange: string; nodeIp: string }

/**
 * The commands that make it so; each may be run again. The route lets this node reach Services
 * when it has no default route: addresses are translated before packets would leave by it, and the
 * node's own address is what endpoints elsewhere must see.
 */
function planAddress({ address, serviceRange, nodeIp }: AddressPlan): string[][] {
  return [
    ['ip', 'link', 'set', DNS_INTERFACE, 'up'],
    ['ip', 'addr', 'replace', `${address}/32`, 'dev', DNS_INTERFACE],
    ['ip', 'route', 'replace', serviceRange, 'dev', DNS_INTERFACE, 'src', nodeIp],
  ]
}

export async function ensureAddress(
  plan: AddressPlan,
  processes: Processes,
  signal: AbortSignal,
): Promise<void> {
  const shown = await processes.run(['ip', 'link', 'show', DNS_INTERFACE], signal)
  if (shown.exitCode !== 0) {
    await runOk(processes, ['ip', 'link', 'add', DNS_INTERFACE, 'type', 'bridge'], signal)
  }
  for (const argv of planAddress(plan)) await runOk(processes, argv, signal)
}
