// What a StatefulSet must be (pkg/apis/apps/validation).

import { checkPodAnnotations } from '../../../pod/annotations.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import { checkPodTemplate, checkRestarts } from '../../../pod/template.ts'
import type { PodTemplateSpec, StatefulSet, Volume } from '../../../schema/generated/types.ts'
import { FieldErrors } from '../../../validation/field-errors.ts'
import {
  checkAnnotations,
  checkLabelSelector,
  checkLabels,
  isReadableSelector,
  matchesLabels,
  shownSelector,
} from '../../../validation/labels.ts'
import {
  checkDnsLabel,
  checkNonNegative,
  checkSupported,
  sameValue,
} from '../../../validation/values.ts'
import { checkClaimSpec } from '../../../volume/claim-spec.ts'
import {
  checkAtMostAll,
  checkCollisions,
  checkCounts,
  checkIntOrPercent,
  isZero,
  SELECTS_NOT,
} from '../../../workload/validation.ts'

type Spec = StatefulSet['spec']

/** What an update forgives, because it was accepted before and cannot be mended. */
type Forgiven = { isOld: boolean; hasFaultyTemplate: boolean }

const NOTHING_FORGIVEN: Forgiven = { isOld: false, hasFaultyTemplate: false }

export function checkStatefulSet(
  faults: FieldErrors,
  { spec }: StatefulSet,
  old: StatefulSet | undefined,
) {
  if (old === undefined) return checkSpec(faults, spec, NOTHING_FORGIVEN)
  const before = new FieldErrors()
  checkSpec(before, old.spec, { isOld: true, hasFaultyTemplate: false })
  checkSpec(faults, spec, { isOld: true, hasFaultyTemplate: before.list.length > 0 })
  if (!sameValue(fixedPart(spec), fixedPart(old.spec))) {
    const mutable = [
      ...["'replicas'", "'ordinals'", "'template'", "'updateStrategy'", "'revisionHistoryLimit'"],
      "'persistentVolumeClaimRetentionPolicy'",
    ].join(', ')
    const detail = `updates to statefulset spec for fields other than ${mutable} and 'minReadySeconds' are forbidden`
    faults.forbidden('spec', detail)
  }
}

function fixedPart(spec: Spec) {
  const { selector, volumeClaimTemplates = [], serviceName = '', podManagementPolicy } = spec
  return { selector, volumeClaimTemplates, serviceName, podManagementPolicy }
}

function checkSpec(faults: FieldErrors, spec: Spec, forgiven: Forgiven) {
  const { podManagementPolicy, persistentVolumeClaimRetentionPolicy, serviceName } = spec
  if (!['OrderedReady', 'Parallel'].includes(podManagementPolicy ?? '')) {
    const detail = "must be 'OrderedReady' or 'Parallel'"
    faults.invalid('spec.podManagementPolicy', podManagementPolicy, detail)
  }
  checkStrategy(faults, 'spec.updateStrategy', spec.updateStrategy ?? {})
  for (const when of ['whenDeleted', 'whenScaled'] as const) {
    const path = `spec.persistentVolumeClaimRetentionPolicy.${when}`
    const policy = persistentVolumeClaimRetentionPolicy?.[when]
    checkSupported(faults, path, policy, ['Retain', 'Delete'])
  }
  if (!forgiven.isOld) {
    for (const [index, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
      checkClaimSpec(faults, `spec.volumeClaimTemplates[${index}].spec`, claim.spec ?? {})
    }
  }
  checkNonNegative(faults, 'spec.replicas', spec.replicas)
  checkNonNegative(faults, 'spec.minReadySeconds', spec.minReadySeconds)
  checkNonNegative(faults, 'spec.ordinals.start', spec.ordinals?.start)
  if (serviceName && !forgiven.isOld) checkDnsLabel(faults, 'spec.serviceName', serviceName)
  checkSelector(faults, spec, forgiven)
  checkRestarts(faults, 'spec.template', spec.template ?? NO_TEMPLATE, 'StatefulSet')
}

function checkStrategy(
  faults: FieldErrors,
  at: string,
  strategy: NonNullable<Spec['updateStrategy']>,
) {
  const { type, rollingUpdate } = strategy
  if (type === 'OnDelete') {
    if (rollingUpdate === undefined) return
    const shown = internalForm('RollingUpdateStatefulSetStrategy', rollingUpdate)
    const detail = "only allowed for updateStrategy 'RollingUpdate'"
    return faults.invalid(`${at}.rollingUpdate`, shown, detail)
  }
  if (type !== 'RollingUpdate') {
    const shown = internalForm('StatefulSetUpdateStrategy', strategy)
    return faults.invalid(at, shown, "must be 'RollingUpdate' or 'OnDelete'")
  }
  const { partition, maxUnavailable } = rollingUpdate ?? {}
  checkNonNegative(faults, `${at}.rollingUpdate.partition`, partition)
  if (maxUnavailable === undefined) return
  const path = `${at}.rollingUpdate.maxUnavailable`
  checkIntOrPercent(faults, path, maxUnavailable)
  if (isZero(maxUnavailable)) faults.invalid(path, maxUnavailable, 'cannot be 0')
  checkAtMostAll(faults, path, maxUnavailable)
}

const NO_TEMPLATE: PodTemplateSpec = { spec: { containers: [] } }

function checkSelector(faults: FieldErrors, spec: Spec, forgiven: Forgiven) {
  const selector = (spec.selector as Spec['selector'] | null) ?? undefined
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  const isEmpty = Object.keys(matchLabels).length + matchExpressions.length === 0
  if (selector === undefined) faults.required('spec.selector')
  else {
    checkLabelSelector(faults, 'spec.selector', selector)
    if (isEmpty) {
      const detail = 'empty selector is invalid for statefulset'
      faults.invalid('spec.selector', shownSelector(selector), detail)
    }
  }
  if (!isReadableSelector(selector)) {
    return faults.invalid('spec.selector', shownSelector(selector), '')
  }
  const template = spec.template ?? NO_TEMPLATE
  const labels = template.metadata?.labels
  // An empty selector is a fault of its own; without one nothing is selected.
  const isSelected = selector !== undefined && (isEmpty || matchesLabels(selector, labels))
  if (!isSelected) faults.invalid('spec.template.metadata.labels', labels ?? null, SELECTS_NOT)
  checkTemplate(faults, spec, forgiven)
}

/** The template as its pods will be, judged twice in part, as upstream does. */
function checkTemplate(faults: FieldErrors, spec: Spec, { hasFaultyTemplate }: Forgiven) {
  const at = 'spec.template'
  const template = { ...NO_TEMPLATE, ...spec.template }
  const { labels, annotations } = template.metadata ?? {}
  // Names of hosts are the controller's to give, and claims take the place of volumes.
  const { hostname: _host, subdomain: _domain, ...podSpec } = { ...template.spec! }
  const claims = spec.volumeClaimTemplates ?? []
  const asMade = claims.length === 0 ? podSpec : { ...podSpec, volumes: volumesOf(spec) }
  if (!hasFaultyTemplate) checkPodTemplate(faults, at, { ...template, spec: asMade })
  checkLabels(faults, `${at}.labels`, labels)
  checkAnnotations(faults, `${at}.annotations`, annotations)
  checkPodAnnotations(faults, `${at}.annotations`, annotations, asMade)
}

function volumesOf({ volumeClaimTemplates = [], template }: Spec): Volume[] {
  const names = new Set(volumeClaimTemplates.map(({ metadata }) => metadata?.name ?? ''))
  return [
    ...[...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(template?.spec?.volumes ?? []).filter(({ name }) => !names.has(name)),
  ]
}

export function checkStatefulSetStatus(
  faults: FieldErrors,
  { status }: StatefulSet,
  old: StatefulSet | undefined,
) {
  const { replicas, readyReplicas, currentReplicas, updatedReplicas } = status ?? {}
  const { availableReplicas, observedGeneration, collisionCount } = status ?? {}
  const counts = {
    replicas,
    readyReplicas,
    currentReplicas,
    updatedReplicas,
    availableReplicas,
    observedGeneration,
    collisionCount,
  }
  const parts = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas']
  checkCounts(faults, counts, parts, 'status.readyReplicas')
  checkCollisions(faults, collisionCount, old?.status?.collisionCount)
}
