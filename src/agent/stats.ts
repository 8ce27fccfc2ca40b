// The kubelet's stats summary (/stats/summary): what this node and its containers use now.

import type { Clock } from '../lib/clock.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { PodsOnNode } from './http/pods-on-node.ts'

export type StatsDeps = {
  pods: PodsOnNode
  runtime: Pick<Runtime, 'observe' | 'usage'>
  clock: Clock
  nodeName: string
}

type ContainerStats = {
  name: string
  cpu: { time: string; usageCoreNanoSeconds: number }
  memory: { time: string; workingSetBytes: number }
}

/** Containers that end while they are looked at are left out. */
export async function statsSummary(deps: StatsDeps, signal: AbortSignal): Promise<object> {
  const time = new Date(deps.clock.nowMs()).toISOString()
  const pods = await Promise.all(
    deps.pods.list().map(async ({ metadata: { name, namespace, uid } }) => ({
      podRef: { name, namespace, uid },
      containers: await containerStats(deps, uid ?? '', time, signal),
    })),
  )
  return { node: { nodeName: deps.nodeName }, pods }
}

async function containerStats(
  { runtime }: StatsDeps,
  podUid: string,
  time: string,
  signal: AbortSignal,
): Promise<ContainerStats[]> {
  const { containers } = await runtime.observe(podUid, signal)
  const running = containers.filter(({ state }) => state === 'running')
  const found = await Promise.all(
    running.map(async ({ id, name }) => {
      const usage = await runtime.usage(id, signal).catch(() => undefined)
      if (usage === undefined) return []
      return [
        {
          name,
          cpu: { time, usageCoreNanoSeconds: usage.cpuNanos },
          memory: { time, workingSetBytes: usage.memoryBytes },
        },
      ]
    }),
  )
  return found.flat()
}
