// /metrics: what the kubelet says of itself in Prometheus' text format, as far as we have it.

import type { Pod } from '../../api/schema/generated/types.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { type NodeRequest, respond } from './request.ts'

export async function handleMetrics(
  node: NodeHttp,
  _request: NodeRequest,
  stream: ByteStream,
): Promise<void> {
  const type = 'text/plain; version=0.0.4; charset=utf-8'
  await respond(stream, 200, type, formatMetrics(node.pods.list()))
}

/** Pure. */
function formatMetrics(pods: readonly Pod[]): string {
  const running = pods.filter(({ status }) => status?.phase === 'Running')
  const containers = running.flatMap(({ status }) => status?.containerStatuses ?? [])
  const inState = (state: 'running' | 'terminated' | 'waiting') =>
    containers.filter(({ state: seen }) => seen?.[state] !== undefined).length
  return [
    '# HELP kubelet_running_pods Number of pods that have a running pod sandbox',
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${running.length}`,
    '# HELP kubelet_running_containers Number of containers currently running',
    '# TYPE kubelet_running_containers gauge',
    `kubelet_running_containers{container_state="exited"} ${inState('terminated')}`,
    `kubelet_running_containers{container_state="running"} ${inState('running')}`,
    '',
  ].join('\n')
}
