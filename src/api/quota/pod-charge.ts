// What a pod costs: itself and what its containers ask for, until it has ended.

import { own } from '../../lib/own.ts'
import { effectiveTotals } from '../pod/effective-resources.ts'
import { qosClassOf } from '../pod/resources.ts'
import { isExtendedResource } from '../pod/spec/quantities.ts'
import { type Quantity, quantityOf } from '../quantity.ts'
import type { Affinity, Container, Pod, PodAffinityTerm } from '../schema/generated/types.ts'
import { parseTime } from '../time.ts'
import { parseAmounts } from './amounts.ts'
import type { Charge, ScopeRequirement } from './contract.ts'
import { meetsWithOneOf } from './scopes.ts'

const COMPUTE = ['cpu', 'memory']
/** With a quota for one of these, every container has to say it. */
const DEMANDED = [...COMPUTE, ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`])]
const NAMES = new Set([
  ...['count/pods', 'pods', 'ephemeral-storage', ...DEMANDED],
  ...['requests.ephemeral-storage', 'limits.ephemeral-storage'],
])
const HUGE_PAGES = 'hugepages-'

export const podCharge: Charge<Pod> = {
  countsFor: (name) =>
    NAMES.has(name) ||
    name.startsWith(HUGE_PAGES) ||
    name.startsWith(`requests.${HUGE_PAGES}`) ||
    isRequestOfExtended(name),

  isAsked({ operation, subresource, object, old }) {
    if (subresource === 'resize') return operation === 'UPDATE'
    if (subresource !== '') return false
    if (operation === 'CREATE') return true
    return operation === 'UPDATE' && old !== undefined && hasDeadline(old) !== hasDeadline(object)
  },

  usage(pod, nowMs) {
    const usage = new Map<string, Quantity>([['count/pods', quantityOf(1)]])
    if (hasEnded(pod) || nowMs > (overdueAtMs(pod) ?? Number.POSITIVE_INFINITY)) return usage
    usage.set('pods', quantityOf(1))
    for (const [name, amount] of effectiveTotals(pod, 'requests')) {
      for (const charged of namesOfRequest(name)) usage.set(charged, amount)
    }
    for (const [name, amount] of effectiveTotals(pod, 'limits')) {
      if (COMPUTE.includes(name) || name === 'ephemeral-storage') {
        usage.set(`limits.${name}`, amount)
      }
    }
    return usage
  },

  isInScope: (pod, requirement) => isInScope(pod, requirement),

  missing(pod, names) {
    const { spec } = pod
    if (hasResourcesOfItsOwn(pod)) return undefined
    const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
    const texts = names
      .filter((name) => DEMANDED.includes(name))
      .toSorted()
      .flatMap((name) => {
        const silent = containers.filter((container) => !says(container, name))
        if (silent.length === 0) return []
        const who = [...new Set(silent.map((container) => container.name))].toSorted()
        return [`${name} for: ${who.join(',')}`]
      })
    return texts.length === 0 ? undefined : `must specify ${texts.join('; ')}`
  },
}

/** When a pod that is going counts as gone, though its node has not said so. */
export function overdueAtMs({ metadata }: Pod): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds: grace } = metadata
  if (deletionTimestamp === undefined || grace === undefined) return undefined
  return parseTime(deletionTimestamp) + grace * 1000
}

export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

function namesOfRequest(name: string): string[] {
  if (COMPUTE.includes(name) || name === 'ephemeral-storage' || name.startsWith(HUGE_PAGES)) {
    return [name, `requests.${name}`]
  }
  return isExtendedResource(name) ? [`requests.${name}`] : []
}

const DEVICE_CLASS = 'requests.deviceclass.resource.kubernetes.io/'

function isRequestOfExtended(name: string): boolean {
  if (!name.startsWith('requests.')) return false
  return (name.includes('/') && !name.includes('kubernetes.io/')) || name.startsWith(DEVICE_CLASS)
}

function says({ resources }: Container, name: string): boolean {
  const [list, bare] = name.startsWith('limits.')
    ? [resources?.limits, name.slice('limits.'.length)]
    : [resources?.requests, name.replace(/^requests\./, '')]
  return own(list, bare) !== undefined
}

function hasResourcesOfItsOwn({ spec }: Pod): boolean {
  const { requests, limits } = spec.resources ?? {}
  const names = [...parseAmounts(requests).keys(), ...parseAmounts(limits).keys()]
  return names.some((name) => COMPUTE.includes(name) || name.startsWith(HUGE_PAGES))
}

function hasDeadline({ spec }: Pod): boolean {
  return spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds >= 0
}

function isInScope(pod: Pod, requirement: ScopeRequirement): boolean {
  switch (requirement.scopeName) {
    case 'Terminating':
      return hasDeadline(pod)
    case 'NotTerminating':
      return !hasDeadline(pod)
    case 'BestEffort':
      return qosClassOf(pod) === 'BestEffort'
    case 'NotBestEffort':
      return qosClassOf(pod) !== 'BestEffort'
    case 'PriorityClass':
      return meetsWithOneOf(requirement, [pod.spec.priorityClassName])
    case 'CrossNamespacePodAffinity':
      return looksAbroad(pod.spec.affinity)
    default:
      return false
  }
}

function looksAbroad(affinity: Affinity | undefined): boolean {
  const terms: PodAffinityTerm[] = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap(
    (each) => [
      ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
        ({ podAffinityTerm }) => podAffinityTerm,
      ),
    ],
  )
  return terms.some(
    ({ namespaces, namespaceSelector }) =>
      (namespaces ?? []).length > 0 || (namespaceSelector ?? undefined) !== undefined,
  )
}
