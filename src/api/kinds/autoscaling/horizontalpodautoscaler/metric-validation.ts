// What the metrics of a HorizontalPodAutoscaler must be (pkg/apis/autoscaling/validation).

import { isPathSegmentName } from '../../../names.ts'
import { checkContainerResourceName } from '../../../pod/spec/quantities.ts'
import { compareQuantity, parseQuantity, ZERO } from '../../../quantity.ts'
import type {
  HorizontalPodAutoscaler,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkDnsLabel } from '../../../validation/values.ts'
import { checkReference, type Reference } from './reference.ts'

/** By type: the field that says more of it. In upstream's order of judging them. */
const FIELDS = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const
const TYPES = Object.keys(FIELDS).sort()
const KINDS_OF_TARGET = ['Utilization', 'Value', 'AverageValue']

const NEITHER = 'must set either a target raw value or a target utilization'
const BOTH = 'may not set both a target raw value and a target utilization'

type Type = keyof typeof FIELDS
type Field = (typeof FIELDS)[Type]

export function checkMetrics(
  faults: FieldErrors,
  { metrics = [], minReplicas }: HorizontalPodAutoscaler['spec'],
  forgiven: Reference,
) {
  for (const [index, metric] of metrics.entries()) {
    checkMetric(faults, `spec.metrics[${index}]`, metric, forgiven)
  }
  const isOfOthers = metrics.some(({ type }) => type === 'Object' || type === 'External')
  if (minReplicas !== 0 || isOfOthers) return
  const what = 'at least one Object or External metric to support scaling to zero replicas'
  faults.forbidden('spec.metrics', `must specify ${what}`)
}

function checkMetric(faults: FieldErrors, at: string, metric: MetricSpec, forgiven: Reference) {
  const type = metric.type ?? ''
  if (type === '') faults.required(`${at}.type`, 'must specify a metric source type')
  if (!isType(type)) faults.notSupported(`${at}.type`, type, TYPES)
  const present = Object.values(FIELDS).filter((field) => metric[field] !== undefined)
  if (present[0] !== undefined) checkSource(faults, at, { metric, field: present[0], forgiven })
  // Said twice of a type that is none.
  if (!isType(type)) faults.notSupported(`${at}.type`, type, TYPES)
  else if (metric[FIELDS[type]] === undefined) {
    const detail = 'must populate information for the given metric source'
    faults.required(`${at}.${FIELDS[type]}`, detail)
  }
  if (present.length === 1) return
  for (const field of present) {
    if (isType(type) && field === FIELDS[type]) continue
    faults.forbidden(`${at}.${field}`, 'must populate the given metric source only')
  }
}

function isType(type: string): type is Type {
  return Object.hasOwn(FIELDS, type)
}

type Source = { metric: MetricSpec; field: Field; forgiven: Reference }

function checkSource(faults: FieldErrors, at: string, { metric, field, forgiven }: Source) {
  const path = `${at}.${field}`
  const target = metric[field]?.target ?? { type: '' }
  const average = `${path}.target.averageValue`
  switch (field) {
    case 'object':
      checkReference(faults, `${path}.describedObject`, metric.object!.describedObject, forgiven)
      checkNamed(faults, path, metric.object!.metric, target)
      if (target.value !== undefined || target.averageValue !== undefined) return
      return faults.required(average, 'must set either a target value or averageValue')
    case 'external': {
      checkNamed(faults, path, metric.external!.metric, target)
      const what = 'a target value for metric'
      if (target.value === undefined && target.averageValue === undefined) {
        faults.required(average, `must set either ${what} or a per-pod target`)
      }
      if (target.value === undefined || target.averageValue === undefined) return
      const detail = `may not set both ${what} and a per-pod target`
      return faults.forbidden(`${path}.target.value`, detail)
    }
    case 'pods':
      checkNamed(faults, path, metric.pods!.metric, target)
      if (target.averageValue !== undefined) return
      return faults.required(average, 'must specify a positive target averageValue')
    case 'resource':
      if (!metric.resource!.name) faults.required(`${path}.name`, 'must specify a resource name')
      return checkResourceTarget(faults, `${path}.target`, target)
    case 'containerResource':
      checkContainer(faults, path, metric.containerResource!)
      return checkResourceTarget(faults, `${path}.target`, target)
    default:
      return field satisfies never
  }
}

function checkContainer(
  faults: FieldErrors,
  at: string,
  { name, container }: NonNullable<MetricSpec['containerResource']>,
) {
  if (!name) faults.required(`${at}.name`, 'must specify a resource name')
  else checkContainerResourceName(faults, `${at}.name`, name)
  if (!container) faults.required(`${at}.container`, 'must specify a container')
  else checkDnsLabel(faults, `${at}.container`, container)
}

function checkResourceTarget(faults: FieldErrors, at: string, target: MetricTarget) {
  checkTarget(faults, at, target)
  const { averageUtilization, averageValue } = target
  if (averageUtilization === undefined && averageValue === undefined) {
    faults.required(`${at}.averageUtilization`, NEITHER)
  }
  if (averageUtilization === undefined || averageValue === undefined) return
  faults.forbidden(`${at}.averageValue`, BOTH)
}

function checkNamed(
  faults: FieldErrors,
  at: string,
  metric: MetricIdentifier,
  target: MetricTarget,
) {
  const name = metric?.name
  if (!name) faults.required(`${at}.metric.name`, 'must specify a metric name')
  else faults.invalidAll(`${at}.metric.name`, name, isPathSegmentName(name, false))
  checkTarget(faults, `${at}.target`, target)
}

function checkTarget(faults: FieldErrors, at: string, target: MetricTarget) {
  const type = target.type ?? ''
  if (type === '') faults.required(`${at}.type`, 'must specify a metric target type')
  if (!KINDS_OF_TARGET.includes(type)) {
    faults.invalid(`${at}.type`, type, 'must be either Utilization, Value, or AverageValue')
  }
  for (const field of ['value', 'averageValue'] as const) {
    const text = target[field]
    if (text === undefined || compareQuantity(parseQuantity(text), ZERO) > 0) continue
    faults.invalid(`${at}.${field}`, text, 'must be positive')
  }
  const percent = target.averageUtilization
  if (percent === undefined || percent >= 1) return
  faults.invalid(`${at}.averageUtilization`, percent, 'must be greater than 0')
}
