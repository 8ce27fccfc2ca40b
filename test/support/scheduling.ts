// Nodes and pods for the scheduler's tests, and its plug-ins over objects that are simply there.

import type { KubeObject } from '../../src/api/object.ts'
import type { ResourceRow } from '../../src/api/resource.ts'
import type { Node, Pod, PodSpec } from '../../src/api/schema/generated/types.ts'
import type { Client } from '../../src/kit/client.ts'
import { Cache } from '../../src/kit/lister.ts'
import { SimClock } from '../../src/lib/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import type { Handle, Plugin } from '../../src/scheduler/framework.ts'
import { PLUGINS } from '../../src/scheduler/plugins/all.ts'

type NodeParts = { spec?: Node['spec']; labels?: Record<string, string>; status?: Node['status'] }

/** Two cores, 4 GiB and room for three pods. */
export function aNode(name: string, { spec = {}, labels, status }: NodeParts = {}): Node {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu: '2', memory: '4Gi', pods: '3' }, ...status },
  }
}

let uid = 0
export function aPod(
  spec: Partial<PodSpec> = {},
  labels: Record<string, string> = {},
  more: Partial<Pod['metadata']> = {},
): Pod {
  uid++
  return {
    metadata: { name: `p${uid}`, namespace: 'default', uid: `${uid}`, labels, ...more },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  }
}

export function asking(cpu: string, memory = '0'): Partial<PodSpec> {
  return { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu, memory } } }] }
}

type Known = readonly [row: ResourceRow<KubeObject>, objects: readonly KubeObject[]]

/** A handle for plug-ins that only read. */
export function testHandle(...known: Known[]): Handle {
  const clock = new SimClock()
  const log = createLog({ clock, level: 'error', format: 'text', write: () => {} })
  return {
    client: undefined as unknown as Client,
    clock,
    log,
    lister<O extends KubeObject>(row: ResourceRow<O>) {
      const cache = new Cache<O>()
      const [, objects = []] = known.find(([other]) => (other as unknown) === row) ?? []
      for (const object of objects) cache.put(object as O)
      return cache
    },
    say: async () => {},
    recheck: () => {},
    rejectWaiting: () => false,
  }
}

/** The default plug-ins. */
export function testPlugins(...known: Known[]): Plugin[] {
  const handle = testHandle(...known)
  return PLUGINS.map((make) => make(handle))
}
