// What the agent is told about its node when it is constructed.

import type { Taint } from '../api/schema/generated/types.ts'

export type NodeSettings = {
  readonly nodeName: string
  /** What the node calls itself (`uname -n`), for pods on its network. */
  readonly hostName: string
  /** Addresses of the node, the preferred family first; at most one of each. */
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  /** `v1.36.3+kedge…`, as the node reports it. */
  readonly version: string
  /** Where the agent's HTTPS endpoints are reached, for status.daemonEndpoints. */
  readonly port: number
  readonly podsMax: number
  /** Kept back from the pods: `{ cpu: '100m', memory: '128Mi' }`. */
  readonly reserved: Readonly<Record<string, string>>
  /** Memory of the machine. */
  readonly memoryBytes: number
  readonly clusterDns: readonly string[]
  readonly clusterDomain: string
  /** The agent's own state: /var/lib/kedge/agent. */
  readonly dataFolder: string
  /** /var/log/pods */
  readonly logsFolder: string
  /** /etc/resolv.conf of the node; that of systemd-resolved's upstreams where it runs. */
  readonly resolvConfPath: string
  /** Kernel settings that pods may have besides the safe ones: `kernel.msg*`. */
  readonly allowedUnsafeSysctls: readonly string[]
  /** /etc/hosts of the node. */
  readonly hostsPath: string
}
