// Binding: gives a pod its node. The scheduler's only write.

import { bindings } from '../../../api/kinds/core/binding/row.ts'
import { pods } from '../../../api/kinds/core/pod/row.ts'
import type { AnyObject } from '../../../api/object.ts'
import type { Binding, Pod, PodCondition } from '../../../api/schema/generated/types.ts'
import { ApiError, badRequest, conflict, type FieldError, fieldError } from '../../../api/status.ts'
import type { ResourceRequest } from '../../server.ts'
import { changeStored, preconditionFailed } from '../guaranteed-update.ts'
import { type Action, SUCCESS } from './action.ts'
import { podCondition } from './pod-condition.ts'

/** POST of pods/{name}/binding, and of bindings, where the name is the body's. */
export const binding: Action = {
  body: bindings,
  keepsUid: true,
  steps({ request, body, options }) {
    const { server, info } = request
    const asked = body as unknown as Binding
    const name = info.name || (asked.metadata.name ?? '')
    return {
      prepare() {
        if (asked.metadata.name !== name) {
          throw badRequest('name in URL does not match name in Binding object')
        }
        const errors = faultsOf(asked)
        if (errors.length > 0) throw new ApiError(500, '', aggregate(errors))
        return body
      },
      async store() {
        const nowMs = server.clock.nowMs()
        const change = (pod: AnyObject) => {
          checkPreconditions(request, asked, pod)
          return bound(pod as unknown as Pod, asked, nowMs)
        }
        await changeStored(request, pods, name, { dryRun: options.dryRun, change })
        return SUCCESS
      },
    }
  },
}

function faultsOf({ target }: Binding): FieldError[] {
  const errors: FieldError[] = []
  if (target.kind && target.kind !== 'Node') {
    errors.push(fieldError.notSupported('target.kind', target.kind, ['Node', '<empty>']))
  }
  if (!target.name) errors.push(fieldError.required('target.name', ''))
  return errors
}

function aggregate(errors: readonly FieldError[]): string {
  const texts = errors.map(({ field, message }) => `${field}: ${message}`)
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`
}

function checkPreconditions(request: ResourceRequest, { metadata }: Binding, pod: AnyObject) {
  const { uid, resourceVersion } = metadata
  const { name = '', ...stands } = pod.metadata
  const fail = (what: string, asked: string, found: string | undefined) =>
    preconditionFailed(request, pods, name, [what, asked, found])
  if (uid && uid !== stands.uid) throw fail('UID', uid, stands.uid)
  if (resourceVersion && resourceVersion !== stands.resourceVersion) {
    throw fail('ResourceVersion', resourceVersion, stands.resourceVersion)
  }
}

/** The pod with its node. Throws 409 for one that has a node, or may not have one. */
function bound(pod: Pod, { target, metadata }: Binding, nowMs: number): AnyObject {
  const name = pod.metadata.name ?? ''
  const refuse = (why: string) => conflict({ group: '', plural: 'pods/binding' }, name, why)
  if (pod.metadata.deletionTimestamp) {
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  }
  if (pod.spec.nodeName) {
    throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`)
  }
  if (pod.spec.schedulingGates?.length) {
    throw refuse(`pod ${name} has non-empty .spec.schedulingGates`)
  }
  pod.spec.nodeName = target.name!
  const { annotations, labels } = metadata
  if (annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations }
  if (labels) pod.metadata.labels = { ...pod.metadata.labels, ...labels }
  delete pod.status!.nominatedNodeName
  const conditions = pod.status!.conditions ?? []
  pod.status!.conditions = withScheduled(conditions, nowMs)
  return pod as unknown as AnyObject
}

function withScheduled(conditions: readonly PodCondition[], nowMs: number): PodCondition[] {
  const standing = conditions.find((condition) => condition.type === 'PodScheduled')
  if (standing?.status === 'True') return [...conditions]
  const scheduled = podCondition({ type: 'PodScheduled', status: 'True' }, nowMs)
  const others = conditions.filter((condition) => condition.type !== 'PodScheduled')
  return [...others, scheduled]
}
