// What of a Job's template may change: nothing while it runs. While it is suspended and has no
// pods, where they will run and what they ask for, so that a queue can decide that.

import { hasJobCondition } from '../../../job/state.ts'
import { internalPodSpec, internalPodTemplate } from '../../../pod/internal-form.ts'
import type {
  Affinity,
  Container,
  Job,
  JobSpec,
  PodSpec,
  PodTemplateSpec,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { IMMUTABLE, sameValue } from '../../../validation/values.ts'

export function checkTemplateKept(faults: FieldErrors, spec: JobSpec, old: Job) {
  const template = spec.template ?? {}
  const mayChange = isIdle(old)
  const before = mayChange ? withPlacement(old.spec.template ?? {}, template) : old.spec.template
  if (!mayChange) {
    if (sameValue(template, before)) return
    return faults.invalid('spec.template', internalPodTemplate(template), IMMUTABLE)
  }
  const [podSpec, oldSpec] = [specOf(template), specOf(before ?? {})]
  const masked = {
    ...oldSpec,
    containers: withResources(oldSpec.containers, podSpec.containers),
    ...(oldSpec.initContainers && {
      initContainers: withResources(oldSpec.initContainers, podSpec.initContainers),
    }),
  }
  if (sameValue(podSpec, masked)) return
  faults.invalid('spec.template.spec', internalPodSpec(podSpec), IMMUTABLE)
}

/** Suspended, never started or seen to be suspended, and without pods. */
function isIdle(job: Job): boolean {
  const { startTime, active = 0 } = job.status ?? {}
  const isOff = startTime === undefined || hasJobCondition(job, 'Suspended')
  return job.spec.suspend === true && isOff && active === 0
}

const specOf = ({ spec }: PodTemplateSpec): PodSpec => spec ?? { containers: [] }

/** `old` with what `fresh` says of labels, annotations, nodes, tolerations and gates. */
function withPlacement(old: PodTemplateSpec, fresh: PodTemplateSpec): PodTemplateSpec {
  const { labels, annotations } = fresh.metadata ?? {}
  const { nodeSelector, tolerations, schedulingGates, affinity } = specOf(fresh)
  const metadata = defined({ ...old.metadata, labels, annotations })
  const merged = affinityWith(specOf(old).affinity, affinity)
  const spec = { ...specOf(old), nodeSelector, tolerations, schedulingGates, affinity: merged }
  return { ...old, metadata, spec: defined(spec) } as PodTemplateSpec
}

/** `old` with the affinity to nodes of `fresh`. */
function affinityWith(old: Affinity | undefined, fresh: Affinity | undefined) {
  const merged = defined({ ...old, nodeAffinity: fresh?.nodeAffinity })
  return fresh === undefined && Object.keys(merged).length === 0 ? undefined : merged
}

function withResources(
  old: readonly Container[] = [],
  fresh: readonly Container[] = [],
): Container[] {
  if (old.length !== fresh.length) return [...old]
  return old.map((container, index) => {
    const { name, resources } = fresh[index]!
    return name === container.name ? (defined({ ...container, resources }) as Container) : container
  })
}

function defined<T extends object>(fields: T): T {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as T
}
