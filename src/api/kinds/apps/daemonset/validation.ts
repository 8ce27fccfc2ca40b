// What a DaemonSet must be (pkg/apis/apps/validation).

import { internalForm } from '../../../pod/internal-form.ts'
import { checkKeptTemplate } from '../../../pod/template.ts'
import type { DaemonSet, DaemonSetUpdateStrategy } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import {
  checkLabelSelector,
  isReadableSelector,
  matchesLabels,
  shownSelector,
} from '../../../validation/labels.ts'
import { checkNonNegative } from '../../../validation/values.ts'
import {
  checkAtMostAll,
  checkCollisions,
  checkIntOrPercent,
  checkSelectorKept,
  isZero,
  SELECTS_NOT,
} from '../../../workload/validation.ts'

type Spec = DaemonSet['spec']

export function checkDaemonSet(
  faults: FieldErrors,
  { spec }: DaemonSet,
  old: DaemonSet | undefined,
) {
  if (old) checkSelectorKept(faults, spec.selector, old.spec.selector)
  const template = spec.template ?? { spec: { containers: [] } }
  checkSelector(faults, spec, template.metadata?.labels)
  checkKeptTemplate(faults, 'spec.template', template, 'DaemonSet')
  checkNonNegative(faults, 'spec.minReadySeconds', spec.minReadySeconds)
  checkStrategy(faults, 'spec.updateStrategy', spec.updateStrategy ?? {})
  checkNonNegative(faults, 'spec.revisionHistoryLimit', spec.revisionHistoryLimit)
}

function checkSelector(
  faults: FieldErrors,
  spec: Spec,
  labels: { [key: string]: string } | undefined,
) {
  const selector = (spec.selector as Spec['selector'] | null) ?? undefined
  checkLabelSelector(faults, 'spec.selector', selector)
  // Without a selector nothing is selected.
  const isSelected = selector !== undefined && matchesLabels(selector, labels)
  if (isReadableSelector(selector) && !isSelected) {
    faults.invalid('spec.template.metadata.labels', labels ?? null, SELECTS_NOT)
  }
  if (selector === undefined) return
  const { matchLabels = {}, matchExpressions = [] } = selector
  if (Object.keys(matchLabels).length + matchExpressions.length > 0) return
  const detail = 'empty selector is invalid for daemonset'
  faults.invalid('spec.selector', shownSelector(selector), detail)
}

function checkStrategy(faults: FieldErrors, at: string, strategy: DaemonSetUpdateStrategy) {
  if (strategy.type === 'OnDelete') return
  if (strategy.type !== 'RollingUpdate') {
    const shown = internalForm('DaemonSetUpdateStrategy', strategy)
    return faults.notSupported(at, shown, ['RollingUpdate', 'OnDelete'])
  }
  const { maxUnavailable = 0, maxSurge = 0 } = strategy.rollingUpdate ?? {}
  const [unavailable, surge] = [
    `${at}.rollingUpdate.maxUnavailable`,
    `${at}.rollingUpdate.maxSurge`,
  ]
  checkIntOrPercent(faults, unavailable, maxUnavailable)
  checkIntOrPercent(faults, surge, maxSurge)
  checkAtMostAll(faults, unavailable, maxUnavailable)
  checkAtMostAll(faults, surge, maxSurge)
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    faults.invalid(surge, maxSurge, 'may not be set when maxUnavailable is non-zero')
  } else if (isZero(maxUnavailable) && isZero(maxSurge)) {
    faults.required(unavailable, 'cannot be 0 when maxSurge is 0')
  }
}

// In upstream's order.
const COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const

export function checkDaemonSetStatus(
  faults: FieldErrors,
  { status }: DaemonSet,
  old: DaemonSet | undefined,
) {
  for (const name of COUNTS) checkNonNegative(faults, `status.${name}`, status?.[name])
  checkCollisions(faults, status?.collisionCount, old?.status?.collisionCount)
}
