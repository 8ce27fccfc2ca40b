// A pod of a Job, as it is made: with the finalizer, and in an Indexed Job with its index.

import {
  COMPLETION_INDEX,
  INDEX_FAILURES,
  INDEX_IGNORED_FAILURES,
  JOB_FINALIZER,
} from '../../../api/job/state.ts'
import { jobs } from '../../../api/kinds/batch/job/row.ts'
import type { Container, Job, Pod } from '../../../api/schema/generated/types.ts'
import { draftPod } from '../../workloads/pod-writes.ts'
import { judgeFailure } from './failure-policy.ts'
import { ignoredIndexFailuresOf, indexFailuresOf } from './job-pods.ts'

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX'
/** What names are generated from is cut to this by the server. */
const NAME_BASE_MAX = 58

/** `replaced` is the failed pod of the same index, where each has its own limit. */
export function draftJobPod(job: Job, index: number | undefined, replaced: Pod | undefined): Pod {
  const draft = draftPod({ row: jobs, object: job }, job.spec.template)
  const { finalizers = [] } = draft.metadata
  if (!finalizers.includes(JOB_FINALIZER))
    draft.metadata.finalizers = [...finalizers, JOB_FINALIZER]
  return index === undefined ? draft : withIndex(draft, job, index, replaced)
}

function withIndex(draft: Pod, job: Job, index: number, replaced: Pod | undefined): Pod {
  const { name = '' } = job.metadata
  const { metadata, spec } = draft
  const counted = job.spec.backoffLimitPerIndex === undefined ? {} : failuresAfter(job, replaced)
  const { initContainers, containers } = spec
  return {
    metadata: {
      ...metadata,
      generateName: indexedPrefix(name, index),
      labels: { ...metadata.labels, [COMPLETION_INDEX]: `${index}` },
      annotations: { ...metadata.annotations, [COMPLETION_INDEX]: `${index}`, ...counted },
    },
    spec: {
      ...spec,
      ...(initContainers && { initContainers: initContainers.map(withIndexVariable) }),
      containers: containers.map(withIndexVariable),
      hostname: `${name}-${index}`,
    },
  }
}

function failuresAfter({ spec }: Job, replaced: Pod | undefined): Record<string, string> {
  if (replaced === undefined) return { [INDEX_FAILURES]: '0' }
  const { counts } = judgeFailure(spec.podFailurePolicy, replaced)
  const failures = indexFailuresOf(replaced) + (counts ? 1 : 0)
  const ignored = ignoredIndexFailuresOf(replaced) + (counts ? 0 : 1)
  return {
    [INDEX_FAILURES]: `${failures}`,
    ...(ignored > 0 ? { [INDEX_IGNORED_FAILURES]: `${ignored}` } : {}),
  }
}

/** The index must survive when the server cuts long names. */
function indexedPrefix(name: string, index: number): string {
  const suffix = `-${index}-`
  return name.slice(0, NAME_BASE_MAX - suffix.length) + suffix
}

function withIndexVariable(container: Container): Container {
  const { env = [] } = container
  if (env.some(({ name }) => name === INDEX_VARIABLE)) return container
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` }
  return { ...container, env: [...env, { name: INDEX_VARIABLE, valueFrom: { fieldRef } }] }
}
