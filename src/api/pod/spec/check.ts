// What the parts of a pod spec need to know of the whole while they are judged.

import type { ObjectMeta, PodSpec, Volume } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'

export type Check = {
  readonly faults: FieldErrors
  readonly spec: PodSpec
  /** Metadata of the pod; undefined for a template. */
  readonly meta: ObjectMeta | undefined
  /** Volumes without faults, by name. */
  readonly volumes: Map<string, Volume>
}

/** `spec.initContainers[0]` and the like, with each container of a spec. */
export function containersWithPaths({ spec }: Pick<Check, 'spec'>, at: string) {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((kind) =>
    (spec[kind] ?? []).map((container, index) => ({
      container,
      path: `${at}.${kind}[${index}]`,
      kind,
    })),
  )
}
