// /metrics: what the kubelet says of itself in Prometheus' text format, as far as we have it.

import type { Pod } from '../../api/schema/generated/types.ts'
import type { ByteStream } from '../../lib/byte-stream.ts'
import { Metrics, processMetrics } from '../../lib/metrics.ts'
import type { NodeHttp } from './pods-on-node.ts'
import { type NodeRequest, respond } from './request.ts'

export async function handleMetrics(
  node: NodeHttp,
  _request: NodeRequest,
  stream: ByteStream,
): Promise<void> {
  const { type, text } = await kubeletMetrics(node.pods.list()).text()
  await respond(stream, 200, type, text)
}

/** Made anew for everybody who asks: there is nothing to count in between. */
function kubeletMetrics(pods: readonly Pod[]): Metrics {
  const metrics = new Metrics()
  const running = pods.filter(({ status }) => status?.phase === 'Running')
  const containers = running.flatMap(({ status }) => status?.containerStatuses ?? [])
  const inState = (state: 'running' | 'terminated') =>
    containers.filter(({ state: seen }) => seen?.[state] !== undefined).length
  const sandboxes = 'Number of pods that have a running pod sandbox'
  metrics.computed('gauge', { name: 'kubelet_running_pods', help: sandboxes }, () => [
    [running.length],
  ])
  const help = 'Number of containers currently running'
  const states = { name: 'kubelet_running_containers', help, labels: ['container_state'] }
  metrics.computed('gauge', states, () => [
    ['exited', inState('terminated')],
    ['running', inState('running')],
  ])
  processMetrics(metrics)
  return metrics
}
