// What a pod's priority class means in numbers, and that there is one default at most.
// (upstream plugin Priority)

import type { Pod, PriorityClass } from '../../../api/schema/generated/types.ts'
import { forbidden } from '../../../api/status.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

const PREEMPT = 'PreemptLowerPriority'

export function priority(classes: KindCache<PriorityClass>): AdmissionPlugin {
  return {
    name: 'Priority',
    admit(attributes) {
      const { request, operation, subresource, object } = attributes
      const { row } = request
      if (row.group !== '' || row.plural !== 'pods' || subresource !== '') return
      const pod = object as unknown as Pod | undefined
      if (operation === 'CREATE') setPriority(attributes, pod!, classes)
      if (operation === 'UPDATE') keepPriority(pod!, attributes.old as unknown as Pod)
    },
    validate(attributes) {
      const { request, operation, object } = attributes
      if (request.row.plural !== 'priorityclasses' || operation === 'DELETE') return
      const wanted = object as unknown as PriorityClass
      if (!wanted.globalDefault) return
      const other = [...classes.values()].find(
        ({ globalDefault, metadata }) => globalDefault && metadata.name !== wanted.metadata.name,
      )
      if (other === undefined) return
      const why = `PriorityClass ${other.metadata.name} is already marked as default. `
      throw forbidden(request.row, attributes.name, `${why}Only one default can exist`)
    },
  }
}

function setPriority(attributes: Attributes, pod: Pod, classes: KindCache<PriorityClass>): void {
  const spec = pod.spec!
  const name = spec.priorityClassName
  const found = name ? classes.get({ name }) : defaultOf(classes)
  if (name && found === undefined) {
    throw refused(attributes, `no PriorityClass with name ${name} was found`)
  }
  const value = found?.value ?? 0
  if (spec.priority !== undefined && spec.priority !== value) {
    throw refused(
      attributes,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; ` +
        `priority admission controller computed ${value} from the given PriorityClass name`,
    )
  }
  const preemption = found?.preemptionPolicy ?? PREEMPT
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemption) {
    throw refused(
      attributes,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod ` +
        `spec; priority admission controller computed ${preemption} from the given PriorityClass name`,
    )
  }
  if (found !== undefined) spec.priorityClassName = found.metadata.name!
  spec.priority = value
  spec.preemptionPolicy = preemption
}

/** Clients that do not know these fields send them back empty. */
function keepPriority(pod: Pod, old: Pod): void {
  if (pod.spec!.priority === undefined && old.spec?.priority !== undefined) {
    pod.spec!.priority = old.spec.priority
  }
  if (pod.spec!.preemptionPolicy === undefined && old.spec?.preemptionPolicy !== undefined) {
    pod.spec!.preemptionPolicy = old.spec.preemptionPolicy
  }
}

/** Of several defaults the lowest: nobody is favoured by a mistake. */
function defaultOf(classes: KindCache<PriorityClass>): PriorityClass | undefined {
  const defaults = [...classes.values()].filter(({ globalDefault }) => globalDefault)
  return defaults.toSorted((a, b) => (a.value ?? 0) - (b.value ?? 0))[0]
}
