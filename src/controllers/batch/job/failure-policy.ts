// What spec.podFailurePolicy says of a failed pod: the first rule that fits decides.

import type {
  ContainerStatus,
  PodFailurePolicyOnExitCodesRequirement as OnExitCodes,
  Pod,
  PodFailurePolicy,
  PodFailurePolicyRule,
} from '../../../api/schema/generated/types.ts'

export type Judgement = {
  /** Whether it counts towards the limits. */
  counts: boolean
  action?: string
  /** Why the whole Job fails. */
  failsJob?: string
}

export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): Judgement {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const what = matchOf(rule, pod)
    if (what === undefined) continue
    const { action } = rule
    if (action === 'Ignore') return { counts: false, action }
    if (action === 'Count' || action === 'FailIndex') return { counts: true, action }
    const failsJob = `${what} matching ${action} rule at index ${index}`
    if (action === 'FailJob') return { counts: true, action, failsJob }
  }
  return { counts: true }
}

/** What of the pod fits the rule, in words; undefined when nothing does. */
function matchOf({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: Pod) {
  const { namespace, name } = pod.metadata
  if (onExitCodes) {
    const container = matchingContainer(pod, onExitCodes)
    if (container === undefined) return undefined
    const code = container.state?.terminated?.exitCode
    return `Container ${container.name} for pod ${namespace}/${name} failed with exit code ${code}`
  }
  const condition = pod.status?.conditions?.find(({ type, status }) =>
    onPodConditions?.some((pattern) => pattern.type === type && pattern.status === status),
  )
  return condition && `Pod ${namespace}/${name} has condition ${condition.type}`
}

function matchingContainer({ status }: Pod, wanted: OnExitCodes): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = status ?? {}
  return [...containerStatuses, ...initContainerStatuses].find(({ name, state }) => {
    const code = state?.terminated?.exitCode ?? 0
    if (code === 0 || (wanted.containerName ?? name) !== name) return false
    const isListed = wanted.values.includes(code)
    return wanted.operator === 'In' ? isListed : wanted.operator === 'NotIn' && !isListed
  })
}
