// Chooses a node for one pod: filter, score, take the best; or say why there is none, and what
// could be done. Pure but for the dice it is given.

import type { Node, Pod } from '../api/schema/generated/types.ts'
import { type Diagnosis, describeRefusals } from './diagnosis.ts'
import {
  type Filtering,
  isRefusal,
  type Plugin,
  type PostFiltered,
  priorityOf,
  type Refusal,
  type Refused,
  type View,
} from './framework.ts'
import { addPod, copyOf, type NodeState, type PodInfo, podInfoOf } from './node-state.ts'
import { type Scores, scoreNodes } from './score.ts'

export type Placement = {
  /** Why not, of every node that was asked and refused. */
  readonly diagnosis: Diagnosis
  /** How many nodes were asked: the next attempt begins behind them. */
  readonly askedCount: number
} & (Placed | NotPlaced)

type Placed = {
  readonly ok: true
  readonly nodeName: string
  /** None when only one node fits. */
  readonly scores: Scores | undefined
}

type NotPlaced = {
  readonly ok: false
  readonly message: string
  /** Where the pod waits for room from now on; `''`: nowhere; undefined: where it did before. */
  readonly nominate: string | undefined
  readonly wayOut: (PostFiltered & { ok: true }) | undefined
}

export type PlaceOptions = {
  readonly plugins: readonly Plugin[]
  /** A number in [0, 1): decides between equals. */
  readonly dice: () => number
  /** Which node is asked first, so that all get their turn. */
  readonly startIndex?: number
}

/** Enough fitting nodes are enough: all of a hundred, a share of more. */
const FITTING_MIN = 100

export function placePod(pod: Pod, view: View, options: PlaceOptions): Placement {
  const { plugins } = options
  const { nodes } = view
  if (nodes.length === 0) return noNodes()
  const info = podInfoOf(pod)
  const prepared = prepare(plugins, info, view)
  const asker = new Asker(info, view, prepared.filters)
  const { fitting, refusals } = findFitting(asker, view, prepared, options)
  const absent = prepared.refusal ?? prepared.others
  const names = prepared.refusal ? [prepared.refusal.plugin] : prepared.restrictedBy
  const diagnosis: Diagnosis = {
    refusals,
    absent,
    ...(prepared.refusal ? { preFilter: prepared.refusal.reasons.join(', ') } : {}),
    rejectors: new Set([...names, ...[...refusals.values()].map(({ plugin }) => plugin)]),
  }
  const askedCount = fitting.length + refusals.size
  if (fitting.length === 0) {
    return { ...wayOut(asker, diagnosis, options), diagnosis, askedCount }
  }
  const scores = fitting.length === 1 ? undefined : scoreNodes(plugins, info, fitting, view)
  const nodeName = scores === undefined ? nameOf(fitting[0]!) : best(scores, options.dice)
  return { ok: true, nodeName, scores, diagnosis, askedCount }
}

function noNodes(): Placement {
  return {
    ok: false,
    message: 'no nodes available to schedule pods',
    nominate: '',
    wayOut: undefined,
    // Whatever changes may help.
    diagnosis: { refusals: new Map(), absent: undefined, rejectors: new Set() },
    askedCount: 0,
  }
}

type Filter = { readonly plugin: string } & Filtering
type Prepared = {
  readonly filters: readonly Filter[]
  readonly nodeNames: ReadonlySet<string> | undefined
  readonly restrictedBy: readonly string[]
  /** Of the nodes that are not in `nodeNames`. */
  readonly others: Refused | undefined
  /** Of all nodes: there is no need to ask. */
  readonly refusal: Refused | undefined
}

/** PreFilter of all plug-ins. One that is final ends it; any other lets the rest still speak. */
function prepare(plugins: readonly Plugin[], info: PodInfo, view: View): Prepared {
  const filters: Filter[] = []
  const restrictedBy: string[] = []
  let nodeNames: ReadonlySet<string> | undefined
  let refusal: Refused | undefined
  const prepared = () => ({
    filters,
    nodeNames,
    restrictedBy,
    others: others(restrictedBy),
    refusal,
  })
  for (const { name: plugin, preFilter } of plugins) {
    const answer = preFilter?.(info, view)
    if (answer === undefined) continue
    if (isRefusal(answer)) {
      refusal = { ...answer, plugin }
      if (answer.isFinal) return prepared()
      continue
    }
    filters.push({ plugin, ...answer })
    if (answer.nodeNames === undefined) continue
    restrictedBy.push(plugin)
    nodeNames = nodeNames?.intersection(answer.nodeNames) ?? answer.nodeNames
    if (nodeNames.size > 0) continue
    refusal = { reasons: [emptied(restrictedBy)], isFinal: true, plugin }
    return prepared()
  }
  return prepared()
}

function emptied(plugins: readonly string[]): string {
  if (plugins.length === 1) return `node(s) didn't satisfy plugin ${plugins[0]}`
  return `node(s) didn't satisfy plugin(s) [${plugins.toSorted().join(' ')}] simultaneously`
}

function others(restrictedBy: readonly string[]): Refused | undefined {
  if (restrictedBy.length === 0) return undefined
  const names = restrictedBy.toSorted()
  const reasons = [`node(s) didn't satisfy plugin(s) [${names.join(' ')}]`]
  return { reasons, isFinal: true, plugin: names[0]! }
}

/** Asks all filters, for any node and any supposition about it. */
class Asker {
  readonly info: PodInfo
  readonly view: View
  readonly #filters: readonly Filter[]

  constructor(info: PodInfo, view: View, filters: readonly Filter[]) {
    this.info = info
    this.view = view
    this.#filters = filters
  }

  /**
   * The first filter that refuses has the word. Pods as important as this one that wait for room
   * on the node must find it: the pod has to fit with them, and without them.
   */
  check(state: NodeState): Refused | undefined {
    const nominated = this.view.nominatedOn(nameOf(state))
    const rivals = nominated.length === 0 ? nominated : this.#rivals(nominated)
    if (rivals.length > 0) {
      const crowded = copyOf(state)
      for (const rival of rivals) {
        addPod(crowded, rival)
        this.suppose(rival.pod, state.node, 1)
      }
      const refused = this.#first(crowded)
      for (const rival of rivals) this.suppose(rival.pod, state.node, -1)
      if (refused !== undefined) return refused
    }
    return this.#first(state)
  }

  #rivals(nominated: readonly PodInfo[]): readonly PodInfo[] {
    const { pod } = this.info
    return nominated.filter(({ pod: other }) => {
      return other.metadata.uid !== pod.metadata.uid && priorityOf(other) >= priorityOf(pod)
    })
  }

  suppose(pod: Pod, node: Node, by: 1 | -1): void {
    for (const { suppose } of this.#filters) suppose?.(pod, node, by)
  }

  #first(state: NodeState): Refused | undefined {
    for (const { plugin, filter } of this.#filters) {
      const refusal = filter?.(state)
      if (refusal !== undefined) return { ...refusal, plugin }
    }
    return undefined
  }
}

type Found = { fitting: NodeState[]; refusals: Map<string, Refused> }

function findFitting(asker: Asker, view: View, prepared: Prepared, options: PlaceOptions): Found {
  if (prepared.refusal !== undefined) return { fitting: [], refusals: new Map() }
  // Room was made there for this very pod.
  const nominated = view.node(view.nominationOf(asker.info.pod) ?? '')
  if (nominated !== undefined && asker.check(nominated) === undefined) {
    return { fitting: [nominated], refusals: new Map() }
  }
  const named = [...(prepared.nodeNames ?? [])].flatMap((name) => view.node(name) ?? [])
  const states = prepared.nodeNames === undefined ? view.nodes : named
  const enough = enoughOf(states.length)
  const found: Found = { fitting: [], refusals: new Map() }
  for (let i = 0; i < states.length && found.fitting.length < enough; i++) {
    const state = states[((options.startIndex ?? 0) + i) % states.length]!
    const refused = asker.check(state)
    if (refused === undefined) found.fitting.push(state)
    else found.refusals.set(nameOf(state), refused)
  }
  return found
}

/** As upstream: 50 % of them, less the more there are, but no less than 5 %. */
function enoughOf(count: number): number {
  const percent = Math.max(50 - Math.floor(count / 125), 5)
  return Math.max(FITTING_MIN, Math.floor((count * percent) / 100))
}

/** PostFilter: the first plug-in with a way out has it; else all say why they have none. */
function wayOut(asker: Asker, diagnosis: Diagnosis, { plugins, dice }: PlaceOptions): NotPlaced {
  const { info, view } = asker
  const attempt = {
    info,
    view,
    refusalOf: (name: string): Refusal | undefined =>
      diagnosis.refusals.get(name) ?? diagnosis.absent,
    check: (state: NodeState) => asker.check(state),
    suppose: (pod: Pod, node: Node, by: 1 | -1) => asker.suppose(pod, node, by),
    dice,
  }
  const nodeCount = view.nodes.length
  const failures: string[] = []
  let nominate: string | undefined
  for (const { postFilter } of plugins) {
    const answer = postFilter?.(attempt)
    if (answer === undefined) continue
    if (answer.ok) {
      const message = describeRefusals(diagnosis, nodeCount)
      return { ok: false, message, nominate: answer.nominate, wayOut: answer }
    }
    failures.push(answer.message)
    nominate = answer.nominate ?? nominate
  }
  const message = describeRefusals(diagnosis, nodeCount, failures.join(', '))
  return { ok: false, message, nominate, wayOut: undefined }
}

function best({ totals, states }: Scores, dice: () => number): string {
  const highest = Math.max(...totals)
  const winners = states.filter((_, i) => totals[i] === highest)
  return nameOf(winners[Math.floor(dice() * winners.length)]!)
}

function nameOf({ node }: NodeState): string {
  return node.metadata.name!
}
