// Carries out what was planned for the pods of one StatefulSet, and tells of it.

import { statefulSets } from '../../../api/kinds/apps/statefulset/row.ts'
import { persistentVolumeClaims } from '../../../api/kinds/core/persistentvolumeclaim/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import type {
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from '../../../api/schema/generated/types.ts'
import { isAlreadyExists } from '../../../api/status.ts'
import type { Kit } from '../../../kit/controller.ts'
import { isAbort } from '../../../lib/abort.ts'
import { isNamespaceTerminating, messageOf } from '../../failures.ts'
import { mendIdentity } from './identity.ts'
import type { Action } from './plan.ts'
import type { PodClaims } from './pod-claims.ts'

type Verb = 'Create' | 'Update' | 'Delete'

export class MemberWriter {
  readonly #set: StatefulSet
  readonly #kit: Kit

  constructor(set: StatefulSet, kit: Kit) {
    this.#set = set
    this.#kit = kit
  }

  async perform(action: Action, signal: AbortSignal): Promise<void> {
    switch (action.do) {
      case 'create':
        return this.#create(action.pod, action.claims, signal)
      case 'claim':
        await this.#createClaims(action.pod, action.claims, signal)
        return this.#told('Update', action.pod, false, signal, () =>
          this.#own(action.claims, signal),
        )
      case 'mend':
        return this.#told('Update', action.pod, true, signal, async () => {
          await this.#createClaims(action.pod, action.claims, signal)
          await this.#own(action.claims, signal)
          const edit = (draft: Pod) => mendIdentity(this.#set, draft, action.ordinal)
          await this.#kit.writer.change(pods, action.pod, edit, signal)
        })
      case 'delete':
        return this.#told('Delete', action.pod, true, signal, () =>
          this.#kit.writer.remove(pods, action.pod, {}, signal),
        )
    }
  }

  async #create(pod: Pod, claims: PodClaims, signal: AbortSignal): Promise<void> {
    await this.#told('Create', pod, false, signal, () => this.#createClaims(pod, claims, signal))
    await this.#told('Create', pod, true, signal, async () => {
      await this.#kit.writer.create(pods, pod, signal)
    })
    await this.#told('Update', pod, false, signal, () => this.#own(claims, signal))
  }

  /** The pod is not made before all of its claims are. */
  async #createClaims(pod: Pod, { missing, going }: PodClaims, signal: AbortSignal): Promise<void> {
    const faults: string[] = []
    for (const claim of missing) {
      const { name = '' } = claim.metadata ?? {}
      try {
        await this.#kit.writer.create(persistentVolumeClaims, claim, signal)
        this.#tell('Create', 'Normal', `Claim ${name} Pod ${pod.metadata.name} in`, 'success')
      } catch (error) {
        if (isAbort(error, signal)) throw error
        const why = messageOf(error)
        faults.push(`failed to create PVC ${name}: ${why}`)
        if (isAlreadyExists(error) || isNamespaceTerminating(error)) continue
        const what = `Claim ${name} for Pod ${pod.metadata.name} in`
        this.#tell('Create', 'Warning', what, `failed error: ${why}`)
      }
    }
    for (const name of going) faults.push(`pvc ${name} is being deleted`)
    if (faults.length === 1) throw new Error(faults[0])
    if (faults.length > 1) throw new Error(`[${faults.join(', ')}]`)
  }

  /** Has the claims owned as the set's policy wants it. */
  async #own({ owners, contested }: PodClaims, signal: AbortSignal): Promise<void> {
    for (const name of contested) {
      const message =
        `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging ` +
        'controller, the retention policy is ignored for this claim'
      this.#kit.events.warning(this.#about, 'ConflictingController', message)
    }
    for (const { claim, references } of owners) {
      const edit = (draft: PersistentVolumeClaim) => {
        if (references.length > 0) draft.metadata.ownerReferences = references
        else delete draft.metadata.ownerReferences
      }
      try {
        await this.#kit.writer.change(persistentVolumeClaims, claim, edit, signal)
      } catch (error) {
        const { name } = claim.metadata
        const why = messageOf(error)
        throw new Error(`could not update claim ${name} for delete policy ownerRefs: ${why}`)
      }
    }
  }

  get #about() {
    return { row: statefulSets, object: this.#set }
  }

  /** Tells of a failure, and of success where that is news. */
  async #told(
    verb: Verb,
    pod: Pod,
    isNews: boolean,
    signal: AbortSignal,
    work: () => Promise<void>,
  ): Promise<void> {
    const what = `Pod ${pod.metadata.name} in`
    try {
      await work()
      if (isNews) this.#tell(verb, 'Normal', what, 'successful')
    } catch (error) {
      // A pod that is there already is news to our cache alone.
      const isQuiet =
        isAbort(error, signal) || isAlreadyExists(error) || isNamespaceTerminating(error)
      if (!isQuiet) this.#tell(verb, 'Warning', what, `failed error: ${messageOf(error)}`)
      throw error
    }
  }

  #tell(verb: Verb, type: 'Normal' | 'Warning', what: string, how: string): void {
    const { events } = this.#kit
    const message = `${verb} ${what} StatefulSet ${this.#set.metadata.name} ${how}`
    if (type === 'Normal') events.normal(this.#about, `Successful${verb}`, message)
    else events.warning(this.#about, `Failed${verb}`, message)
  }
}
