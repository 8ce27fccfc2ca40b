// Who a pod of a StatefulSet is: its name, its number, what it is made from, and its volumes.

import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import type { Pod, StatefulSet, Volume } from '../../../api/schema/generated/types.ts'
import { REVISION_LABEL } from '../history.ts'
import { draftPod } from '../pod-writes.ts'

const NAME_LABEL = 'statefulset.kubernetes.io/pod-name'
const INDEX_LABEL = 'apps.kubernetes.io/pod-index'
const NUMBERED = /^(.*)-(0|[1-9]\d*)$/s
const INT32_MAX = 2 ** 31 - 1

export const replicasOf = ({ spec }: StatefulSet) => spec.replicas ?? 1
export const startOf = ({ spec }: StatefulSet) => spec.ordinals?.start ?? 0
export const podName = (set: StatefulSet, ordinal: number) => `${set.metadata.name}-${ordinal}`

/** The number at the end of a pod's name; undefined for the name of no pod of `set`. */
export function ordinalOf(set: StatefulSet, { metadata }: Pod): number | undefined {
  const [, parent, digits] = NUMBERED.exec(metadata.name ?? '') ?? []
  if (parent !== set.metadata.name) return undefined
  const ordinal = Number(digits)
  return ordinal <= INT32_MAX ? ordinal : undefined
}

export function isWanted(set: StatefulSet, ordinal: number): boolean {
  return ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set)
}

export function revisionOf({ metadata }: Pod): string {
  return metadata.labels?.[REVISION_LABEL] ?? ''
}

/** `set` as it is at the revision of that name. */
export type Version = { name: string; set: StatefulSet }

/** A new pod; in a roll those below the partition stay what they were. */
export function draftMember(
  { current, update }: { current: Version; update: Version },
  ordinal: number,
): Pod {
  const { set } = current
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {}
  const isBefore = (count: number | undefined) => ordinal < startOf(set) + (count ?? 0)
  const staysOld =
    rollingUpdate === undefined
      ? type === 'RollingUpdate' && isBefore(set.status?.currentReplicas)
      : isBefore(rollingUpdate.partition)
  return memberOf(staysOld ? current : update, ordinal)
}

function memberOf({ name: revision, set }: Version, ordinal: number): Pod {
  const draft = draftPod({ row: statefulSets, object: set }, set.spec.template)
  const name = podName(set, ordinal)
  const { serviceName } = set.spec
  const labels = { ...draft.metadata.labels, ...identityLabels(name, ordinal) }
  return {
    metadata: { ...draft.metadata, name, labels: { ...labels, [REVISION_LABEL]: revision } },
    spec: {
      ...draft.spec,
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...withVolumes(volumesOf(set, ordinal, draft.spec.volumes)),
    },
  }
}

const withVolumes = (volumes: Volume[]) => (volumes.length === 0 ? {} : { volumes })

const identityLabels = (name: string, ordinal: number) => ({
  [NAME_LABEL]: name,
  [INDEX_LABEL]: String(ordinal),
})

/** The claim that a template becomes for the pod of that number. */
export function claimName(set: StatefulSet, template: string, ordinal: number): string {
  return `${template}-${podName(set, ordinal)}`
}

export function claimTemplates(set: StatefulSet) {
  const templates = set.spec.volumeClaimTemplates ?? []
  // Of two with one name the later counts.
  return [...new Map(templates.map((template) => [template.metadata?.name ?? '', template]))]
}

/** Its claims, and those volumes of the template whose names no claim has. */
function volumesOf(set: StatefulSet, ordinal: number, others: readonly Volume[] = []): Volume[] {
  const templates = new Map(claimTemplates(set))
  return [
    ...[...templates.keys()].map((name) => ({
      name,
      persistentVolumeClaim: { claimName: claimName(set, name, ordinal) },
    })),
    ...others.filter(({ name }) => !templates.has(name)),
  ]
}

/** Whether the pod says who it is, and mounts its own claims. */
export function hasIdentity(set: StatefulSet, pod: Pod, ordinal: number): boolean {
  if (pod.metadata.labels?.[NAME_LABEL] !== pod.metadata.name) return false
  const volumes = new Map(pod.spec.volumes?.map((volume) => [volume.name, volume]))
  return claimTemplates(set).every(([name]) => {
    const source = volumes.get(name)?.persistentVolumeClaim
    return source?.claimName === claimName(set, name, ordinal)
  })
}

/** Gives `draft`, a copy of a pod of the set, the identity that it has lost. */
export function mendIdentity(set: StatefulSet, draft: Pod, ordinal: number): void {
  const name = podName(set, ordinal)
  draft.metadata.labels = { ...draft.metadata.labels, ...identityLabels(name, ordinal) }
  const volumes = volumesOf(set, ordinal, draft.spec.volumes)
  if (!hasIdentity(set, draft, ordinal)) Object.assign(draft.spec, withVolumes(volumes))
}
