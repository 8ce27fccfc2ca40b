// When the change happened that a pass carries on: people measure by it how late endpoints are.
// Rules of upstream's TriggerTimeTracker (k8s.io/endpointslice/util).

import { keyOf } from '../../api/object.ts'
import type { Pod, Service } from '../../api/schema/generated/types.ts'
import { conditionOf } from '../conditions.ts'

type Known = { service: string; pods: Map<string, string> }

export class TriggerTimes {
  readonly #known = new Map<string, Known>()

  /** The earliest change since the last call for this Service, as RFC 3339; undefined for none. */
  next(service: Service, pods: readonly Pod[]): string | undefined {
    const key = keyOf(service)
    const before = this.#known.get(key)
    const now: Known = { service: service.metadata.creationTimestamp ?? '', pods: new Map() }
    // Times of one layout and zone compare as text.
    const changes: string[] = now.service > (before?.service ?? '') ? [now.service] : []
    for (const pod of pods) {
      const ready = conditionOf(pod.status?.conditions, 'Ready')
      const time = ready?.lastTransitionTime ?? ''
      const name = pod.metadata.name ?? ''
      if (time !== '') now.pods.set(name, time)
      if (time > (before?.pods.get(name) ?? '')) changes.push(time)
    }
    this.#known.set(key, now)
    return changes.toSorted()[0]
  }

  forget(key: string): void {
    this.#known.delete(key)
  }
}
