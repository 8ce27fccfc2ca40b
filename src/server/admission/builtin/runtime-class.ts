// What the class of a pod's runtime costs and which nodes it wants, written into the pod; a pod may
// only ask for a class that there is, and may not say otherwise than it. (upstream plugin
// RuntimeClass)

import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { Pod, RuntimeClass, Scheduling } from '../../../api/schema/generated/types.ts'
import { ApiError } from '../../../api/status.ts'
import { mergedTolerations } from '../../../api/tolerations.ts'
import { sameValue } from '../../../api/validation/values.ts'
import { own } from '../../../lib/own.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

export function runtimeClass(classes: KindCache<RuntimeClass>): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    handles: ['CREATE'],
    admit(attributes) {
      const spec = newPodSpec(attributes)
      if (spec?.runtimeClassName === undefined) return
      const { overhead, scheduling } = classOf(attributes, spec.runtimeClassName, classes)
      if (overhead !== undefined) setOverhead(attributes, spec, overhead.podFixed ?? {})
      if (scheduling !== undefined) setScheduling(attributes, spec, scheduling)
    },
    validate(attributes) {
      const spec = newPodSpec(attributes)
      if (spec === undefined) return
      const { runtimeClassName: name, overhead } = spec
      const found = name === undefined ? undefined : classOf(attributes, name, classes)
      if (found?.overhead !== undefined) {
        if (!sameValue(found.overhead.podFixed ?? {}, overhead ?? {})) throw differs(attributes)
      } else if (overhead !== undefined) {
        const why = 'Pod Overhead set without corresponding RuntimeClass defined Overhead'
        throw refused(attributes, `pod rejected: ${why}`)
      }
    },
  }
}

type Spec = NonNullable<Pod['spec']>

function newPodSpec({ request, subresource, object }: Attributes): Spec | undefined {
  if (request.row !== pods || subresource !== '') return undefined
  return (object as unknown as Pod).spec
}

function classOf(attributes: Attributes, name: string, classes: KindCache<RuntimeClass>) {
  // Upstream asks its own API for what it does not know, which refuses to ask for nothing.
  if (name === '') throw new ApiError(500, '', 'resource name may not be empty')
  const found = classes.get({ name })
  if (found !== undefined) return found
  throw refused(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`)
}

function setOverhead(attributes: Attributes, spec: Spec, fixed: NonNullable<Spec['overhead']>) {
  const said = spec.overhead ?? {}
  if (Object.keys(said).length > 0 && !sameValue(said, fixed)) throw differs(attributes)
  if (Object.keys(fixed).length > 0) spec.overhead = { ...fixed }
}

function differs(attributes: Attributes) {
  const why = "Pod's Overhead doesn't match RuntimeClass's defined Overhead"
  return refused(attributes, `pod rejected: ${why}`)
}

function setScheduling(attributes: Attributes, spec: Spec, scheduling: Scheduling) {
  const { nodeSelector = {}, tolerations = [] } = scheduling
  for (const [key, value] of Object.entries(nodeSelector)) {
    const said = own(spec.nodeSelector, key)
    if (said === undefined || said === value) continue
    const [ours, theirs] = ['runtimeClass.scheduling.nodeSelector', 'pod.spec.nodeSelector']
    throw refused(attributes, `conflict: ${ours}[${key}] = ${value}; ${theirs}[${key}] = ${said}`)
  }
  if (Object.keys(nodeSelector).length > 0) {
    spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector }
  }
  const merged = mergedTolerations([...(spec.tolerations ?? []), ...tolerations])
  if (merged.length > 0) spec.tolerations = merged
}
