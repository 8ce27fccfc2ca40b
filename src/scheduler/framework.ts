// The contract between the scheduler and its plug-ins: upstream's extension points, in order.
//
//   in the queue   PreEnqueue, QueueSort, and hints: which change may help a pod that was refused
//   planning       PreFilter ─► Filter ─► (nobody fits) PostFilter
//                                    └──► PreScore ─► Score ─► NormalizeScore        all pure
//   carrying out   Reserve ─► Permit ─► PreBind ─► Bind ─► PostBind;  Unreserve takes back
//
// A point that works something out for all nodes returns the function that is asked for each: what
// PreFilter finds lives in the Filter it returns, what PreScore finds in the Score.

import type { KubeObject } from '../api/object.ts'
import type { AnyRow, ResourceRow } from '../api/resource.ts'
import type { Node, Pod } from '../api/schema/generated/types.ts'
import type { Client } from '../kit/client.ts'
import type { Change } from '../kit/informer.ts'
import type { Lister } from '../kit/lister.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { NodeState, PodInfo } from './node-state.ts'

/** Why not, in upstream's words. */
export type Refusal = {
  readonly reasons: readonly string[]
  /** Removing other pods could not change it: preemption is then not even looked at. */
  readonly isFinal: boolean
}

/** A refusal, and by whom. */
export type Refused = Refusal & { readonly plugin: string }

/** Nodes and pods as they are at this moment. */
export interface View {
  /** In no order that means anything. */
  readonly nodes: readonly NodeState[]
  node(name: string): NodeState | undefined
  /** The nodes that hold a pod with affinity or anti-affinity to others. */
  readonly nodesWithAffinity: readonly NodeState[]
  /** How many nodes have an image, as `NodeState.images` names it. */
  nodeCountOfImage(image: string): number
  /** Pods that are to come to a node once there is room for them. */
  nominatedOn(nodeName: string): readonly PodInfo[]
  /** Where `pod` itself waits for room. */
  nominationOf(pod: Pod): string | undefined
}

/** What a plug-in has worked out about one pod, to be asked for each node. */
export type Filtering = {
  readonly filter?: (state: NodeState) => Refusal | undefined
  /** No other node is worth asking. */
  readonly nodeNames?: ReadonlySet<string>
  /** From now on `pod` is thought to be on `node` (1), or not to be there (-1). */
  readonly suppose?: (pod: Pod, node: Node, by: 1 | -1) => void
}

export type Scoring = {
  readonly score: (state: NodeState) => number
  /** From what `score` said of each of `states` to 0 … SCORE_MAX. */
  readonly normalize?: (scores: readonly number[], states: readonly NodeState[]) => number[]
}

/** An attempt that found no node, for PostFilter to look for a way out. */
export type FailedAttempt = {
  readonly info: PodInfo
  readonly view: View
  /** Why `nodeName` was refused. */
  refusalOf(nodeName: string): Refusal | undefined
  /** All filters again, for a node that may differ from the one in `view`. */
  check(state: NodeState): Refusal | undefined
  suppose(pod: Pod, node: Node, by: 1 | -1): void
  /** A number in [0, 1). */
  dice(): number
}

export type PostFiltered =
  | {
      readonly ok: true
      /** The pod waits for room on this node. */
      readonly nominate: string
      /** What makes the room, and does not touch the cluster until it is called. */
      readonly carryOut: (signal: AbortSignal) => Promise<void>
      /** Who is removed by it. */
      readonly victims: readonly Pod[]
    }
  | {
      readonly ok: false
      readonly message: string
      /** `''`: the pod no longer waits for any node. Left out: as it was. */
      readonly nominate?: ''
    }

/** Undecided: others go on, and the node is kept for the pod until `decided` or the time is up. */
export type PermitWait = {
  readonly waitMs: number
  readonly decided: Promise<Refusal | undefined>
}

/** A kind of object that can change a plug-in's mind about a pod that it refused. */
export type Hint = {
  readonly row: AnyRow
  /** False when this change cannot help `pod`. */
  readonly mayHelp: (pod: Pod, change: Change<KubeObject>) => boolean
}

export type QueuedPod = { readonly pod: Pod; readonly queuedAtMs: number }

export type Plugin = {
  /** Upstream's; what was refused is remembered under it. */
  readonly name: string
  /** Of the score. */
  readonly weight?: number
  /** Why the pod may not even wait to be tried. */
  readonly preEnqueue?: (pod: Pod) => string | undefined
  /** Negative when `a` goes first. Exactly one plug-in has it. */
  readonly queueSort?: (a: QueuedPod, b: QueuedPod) => number
  readonly hints?: readonly Hint[]
  /** Undefined: nothing to say about this pod. */
  readonly preFilter?: (info: PodInfo, view: View) => Filtering | Refusal | undefined
  readonly postFilter?: (attempt: FailedAttempt) => PostFiltered
  /** Undefined: nothing to say about this pod. `fitting` are the nodes that passed. */
  readonly preScore?: (
    info: PodInfo,
    fitting: readonly NodeState[],
    view: View,
  ) => Scoring | undefined
  readonly reserve?: (pod: Pod, nodeName: string) => Refusal | undefined
  /** Called for whatever was reserved, or might have been; must not mind. */
  readonly unreserve?: (pod: Pod, nodeName: string) => void
  readonly permit?: (pod: Pod, nodeName: string) => Refusal | PermitWait | undefined
  /** Whether PreBind will take its time: the pod then tells meanwhile where it is going. */
  readonly willPreBind?: (pod: Pod, nodeName: string) => boolean
  /** Throws for what failed; the pod is then tried again, backed off. */
  readonly preBind?: (pod: Pod, nodeName: string, signal: AbortSignal) => Promise<void>
  /** True when the pod is bound; false leaves it to the next plug-in. */
  readonly bind?: (pod: Pod, nodeName: string, signal: AbortSignal) => Promise<boolean>
  readonly postBind?: (pod: Pod, nodeName: string) => void
}

/** What plug-ins are made with. */
export type Handle = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
  /** All objects of a kind, kept up to date; the scheduler starts when it has them. */
  lister<O extends KubeObject>(row: ResourceRow<O>): Lister<O>
  /** Tells people about `pod`. Never throws. */
  say(pod: Pod, what: Note, signal: AbortSignal): Promise<void>
  /** PreEnqueue may answer otherwise now. */
  recheck(pod: Pod): void
  /** Takes back a node that is kept for a pod which waits in Permit; false if it does not. */
  rejectWaiting(pod: Pod, refusal: Refusal): boolean
}

export type Note = {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly action: string
  readonly note: string
  readonly related?: Pod
}

export type MakePlugin = (handle: Handle) => Plugin

export const SCORE_MAX = 100

export function final(...reasons: string[]): Refusal {
  return { reasons, isFinal: true }
}

/** Refused for now: it might pass if some other pods were away. */
export function open(...reasons: string[]): Refusal {
  return { reasons, isFinal: false }
}

export function isRefusal(answer: object): answer is Refusal {
  return 'reasons' in answer
}

/** Types the change by the row, so that `mayHelp` need not. */
export function hintOf<O extends KubeObject>(
  row: ResourceRow<O>,
  mayHelp: (pod: Pod, change: Change<O>) => boolean,
): Hint {
  return { row, mayHelp: mayHelp as Hint['mayHelp'] }
}

/** Scaled so that the largest becomes SCORE_MAX; all zeros stay zeros, or become SCORE_MAX. */
export function normalised(values: readonly number[], order: 'more' | 'less'): number[] {
  const largest = Math.max(0, ...values)
  return values.map((value) => {
    const scaled = largest === 0 ? 0 : Math.floor((SCORE_MAX * value) / largest)
    return order === 'more' ? scaled : SCORE_MAX - scaled
  })
}

export function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0
}
