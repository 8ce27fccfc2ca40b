// A pod of a DaemonSet: for which node it is, what it puts up with there, and whether it may be
// there at all.

import { daemonSets } from '../../../api/kinds/apps/daemonset/row.ts'
import { TEMPLATE_GENERATION } from '../../../api/kinds/apps/daemonset/strategy.ts'
import { matchesNodeSelection } from '../../../api/requirement.ts'
import type {
  Affinity,
  DaemonSet,
  Node,
  Pod,
  PodSpec,
  Taint,
  Toleration,
} from '../../../api/schema/generated/types.ts'
import { isTolerated } from '../../../api/tolerations.ts'
import { own } from '../../../lib/own.ts'
import { REVISION_LABEL } from '../history.ts'
import { draftPod } from '../pod-writes.ts'

const GENERATION_LABEL = 'pod-template-generation'
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'

export type Version = { hash: string; generation: string | undefined }

export function generationOf({ metadata }: DaemonSet): string | undefined {
  return own(metadata.annotations, TEMPLATE_GENERATION)
}

/** It was made from the template as it is now. */
export function isUpdated({ metadata }: Pod, { hash, generation }: Version): boolean {
  const labels = metadata.labels ?? {}
  if (generation !== undefined && labels[GENERATION_LABEL] === generation) return true
  return hash !== '' && labels[REVISION_LABEL] === hash
}

/** The pod for a node. The scheduler binds it, as any other. */
export function draftDaemon(set: DaemonSet, version: Version, node: string): Pod {
  const draft = draftPod({ row: daemonSets, object: set }, set.spec.template)
  const { affinity } = draft.spec
  return {
    metadata: { ...draft.metadata, labels: { ...draft.metadata.labels, ...labelsOf(version) } },
    spec: {
      ...draft.spec,
      affinity: affinityFor(affinity, node),
      tolerations: tolerationsOf(draft.spec),
    },
  }
}

function labelsOf({ hash, generation }: Version) {
  return {
    ...(generation === undefined ? {} : { [GENERATION_LABEL]: generation }),
    [REVISION_LABEL]: hash,
  }
}

/** What was required of nodes is known to hold for this one. */
function affinityFor(affinity: Affinity | undefined, node: string): Affinity {
  const requirement = { key: 'metadata.name', operator: 'In', values: [node] }
  const required = { nodeSelectorTerms: [{ matchFields: [requirement] }] }
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, [REQUIRED]: required } }
}

const EXISTS = 'Exists'
/** Troubles of a node that its daemons stay through. */
const TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: EXISTS, effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: EXISTS, effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: EXISTS, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: EXISTS, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: EXISTS, effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: EXISTS, effect: 'NoSchedule' },
]
const NO_NETWORK: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: EXISTS,
  effect: 'NoSchedule',
}

/** One of the template's for the same taint, which ends after some seconds, gives way. */
export function tolerationsOf(spec: PodSpec): Toleration[] {
  const ours = spec.hostNetwork ? [...TOLERATIONS, NO_NETWORK] : TOLERATIONS
  const tolerations = [...(spec.tolerations ?? [])]
  for (const toleration of ours) {
    const at = tolerations.findIndex((other) => isSame(other, toleration))
    if (at < 0) tolerations.push(toleration)
    else tolerations[at] = toleration
  }
  return tolerations
}

function isSame(a: Toleration, b: Toleration): boolean {
  return (
    a.key === b.key && a.operator === b.operator && a.effect === b.effect && !a.value === !b.value
  )
}

/** The node that a pod is on, or will be. */
export function targetNode({ spec }: Pod): string | undefined {
  if (spec.nodeName) return spec.nodeName
  const terms = spec.affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? []
  const fields = terms.flatMap(({ matchFields = [] }) => matchFields)
  const named = fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')
  return named?.values?.length === 1 ? named.values[0] : undefined
}

export type Fit = {
  /** A pod is to be made where there is none. */
  runs: boolean
  /** One that is there may stay. */
  stays: boolean
}

const NOWHERE: Fit = { runs: false, stays: false }

export function fitOf(set: DaemonSet, node: Node): Fit {
  const spec = set.spec.template.spec ?? { containers: [] }
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return NOWHERE
  if (!matchesNodeSelection(spec, node)) return NOWHERE
  const tolerations = tolerationsOf(spec)
  const bad = (node.spec?.taints ?? []).filter((taint) => !isTolerated(tolerations, taint))
  const has = (effect: Taint['effect']) => bad.some((taint) => taint.effect === effect)
  if (has('NoExecute')) return NOWHERE
  return { runs: !has('NoSchedule'), stays: true }
}
