// Keeps pods apart that want the same port of the node.

import { nodes } from '../../api/kinds/core/node/row.ts'
import { pods } from '../../api/kinds/core/pod/row.ts'
import { type HostPort, hostPortsOf, portsConflict } from '../../api/pod/host-ports.ts'
import type { Pod } from '../../api/schema/generated/types.ts'
import { hintOf, type MakePlugin, open } from '../framework.ts'

export const nodePorts: MakePlugin = () => ({
  name: 'NodePorts',
  preFilter({ pod }) {
    const ports = hostPortsOf(pod.spec)
    if (ports.length === 0) return undefined
    return {
      filter: (state) =>
        [...state.pods.values()].some((other) => clashes(ports, other.pod))
          ? open("node(s) didn't have free ports for the requested pod ports")
          : undefined,
    }
  },
  hints: [
    hintOf(pods, (pod, { type, object }) => {
      return type === 'deleted' && clashes(hostPortsOf(pod.spec), object)
    }),
    hintOf(nodes, (_, { type }) => type === 'added'),
  ],
})

function clashes(ports: readonly HostPort[], { spec }: Pod): boolean {
  const taken = hostPortsOf(spec)
  return ports.some((port) => taken.some((other) => portsConflict(port, other)))
}
