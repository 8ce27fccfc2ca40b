// Which pods wait for room on which node: their `status.nominatedNodeName`, known here before the
// API says it.

import type { Pod } from '../api/schema/generated/types.ts'
import { type PodInfo, podInfoOf } from './node-state.ts'

/** Asked for each node and pod: most have none. */
const NOBODY: readonly PodInfo[] = []

export class Nominations {
  readonly #nodeOf = new Map<string, string>()
  readonly #byNode = new Map<string, Map<string, PodInfo>>()

  /** `nodeName` takes the place of what stood before; `''` ends it. */
  set(pod: Pod, nodeName: string): void {
    this.remove(pod)
    if (nodeName === '') return
    const uid = pod.metadata.uid!
    this.#nodeOf.set(uid, nodeName)
    const here = this.#byNode.get(nodeName)
    const info = podInfoOf(pod)
    if (here === undefined) this.#byNode.set(nodeName, new Map([[uid, info]]))
    else here.set(uid, info)
  }

  remove(pod: Pod): void {
    const uid = pod.metadata.uid!
    const nodeName = this.#nodeOf.get(uid)
    if (nodeName === undefined) return
    this.#nodeOf.delete(uid)
    const here = this.#byNode.get(nodeName)!
    here.delete(uid)
    if (here.size === 0) this.#byNode.delete(nodeName)
  }

  /** Where the pod waits for room, if anywhere. */
  of(pod: Pod): string | undefined {
    return this.#nodeOf.get(pod.metadata.uid!)
  }

  on(nodeName: string): readonly PodInfo[] {
    const here = this.#byNode.get(nodeName)
    return here === undefined ? NOBODY : [...here.values()]
  }
}
