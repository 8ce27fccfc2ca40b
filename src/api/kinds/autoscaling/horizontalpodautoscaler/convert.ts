// One autoscaler in the words of either version (pkg/apis/autoscaling/v1/conversion.go).

import { internalForm } from '../../../pod/internal-form.ts'
import type {
  AutoscalingV1HorizontalPodAutoscaler as AutoscalerV1,
  HorizontalPodAutoscaler as AutoscalerV2,
  HorizontalPodAutoscalerBehavior as Behavior,
  HorizontalPodAutoscalerCondition as Condition,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
} from '../../../schema/generated/types.ts'
import {
  BEHAVIOR,
  CONDITIONS,
  CURRENT_METRICS,
  goJson,
  type Json,
  METRICS,
  readJson,
  roundTrip,
  withoutRoundTrip,
} from './annotations.ts'
import { measuredOfV1, measuredOfV2, metricOfV1, metricOfV2 } from './metrics.ts'

type SpecV2 = AutoscalerV2['spec']
type StatusV2 = NonNullable<AutoscalerV2['status']>
type MadeOf = { readonly v2: AutoscalerV2; readonly view: unknown }

/** By objects of v1: the object of v2 that they were made from, which may say more. */
const madeOf = new WeakMap<AutoscalerV1, MadeOf>()

/** A new object of v1. */
export function v1Of(v2: AutoscalerV2): AutoscalerV1 {
  const v1 = { ...v2, apiVersion: 'autoscaling/v1' } as unknown as AutoscalerV1
  v1.metadata = { ...v2.metadata }
  become(v1, v2)
  return v1
}

/** Makes `v1` say what `v2` says; identity and other metadata stay as they are. */
export function become(v1: AutoscalerV1, v2: AutoscalerV2): void {
  const { scaleTargetRef, minReplicas, maxReplicas } = v2.spec ?? {}
  const percentage = cpuTarget(v2.spec)
  v1.spec = given({
    scaleTargetRef,
    minReplicas,
    maxReplicas,
    targetCPUUtilizationPercentage: percentage,
  }) as AutoscalerV1['spec']
  const status = v2.status ?? ({} as StatusV2)
  v1.status = given({
    observedGeneration: status.observedGeneration,
    lastScaleTime: status.lastScaleTime,
    currentReplicas: status.currentReplicas ?? 0,
    desiredReplicas: status.desiredReplicas ?? 0,
    currentCPUUtilizationPercentage: cpuMeasured(status),
  }) as NonNullable<AutoscalerV1['status']>
  const annotations = { ...withoutRoundTrip(v1.metadata.annotations), ...annotationsOf(v2) }
  if (Object.keys(annotations).length > 0) v1.metadata.annotations = annotations
  else delete v1.metadata.annotations
  madeOf.set(v1, { v2: structuredClone(v2), view: viewOf(v1) })
}

/** A copy that knows what it was made from. */
export function copyOf(v1: AutoscalerV1): AutoscalerV1 {
  const copy = structuredClone(v1)
  const made = madeOf.get(v1)
  if (made !== undefined) madeOf.set(copy, made)
  return copy
}

/** The parts that come from v2. */
function viewOf({ spec, status, metadata }: AutoscalerV1) {
  return structuredClone({ spec, status, annotations: roundTrip(metadata.annotations) })
}

function annotationsOf({ spec, status }: AutoscalerV2): Record<string, string> {
  const others = (spec?.metrics ?? []).filter((metric) => !isCpuTarget(metric))
  const measured = (status?.currentMetrics as MetricStatus[] | null | undefined) ?? []
  const conditions = status?.conditions ?? []
  const annotations: Record<string, string> = {}
  if (others.length > 0) annotations[METRICS] = goJson(others.map(metricOfV2))
  if (measured.length > 0) annotations[CURRENT_METRICS] = goJson(measured.map(measuredOfV2))
  if (spec?.behavior !== undefined) {
    annotations[BEHAVIOR] = goJson(internalForm('HorizontalPodAutoscalerBehavior', spec.behavior))
  }
  if (conditions.length > 0) annotations[CONDITIONS] = goJson(conditions.map(shownCondition))
  return annotations
}

function shownCondition({ type, status, lastTransitionTime, reason, message }: Condition) {
  return given({
    type,
    status,
    lastTransitionTime: lastTransitionTime ?? null,
    reason: reason || undefined,
    message: message || undefined,
  })
}

function isCpuTarget({ type, resource }: MetricSpec): boolean {
  const isCpu = type === 'Resource' && resource?.name === 'cpu'
  return isCpu && resource.target.averageUtilization !== undefined
}

/** The first counts; others of the kind are lost, as they are upstream. */
function cpuTarget(spec: SpecV2 | undefined): number | undefined {
  return spec?.metrics?.find(isCpuTarget)?.resource?.target.averageUtilization
}

function cpuMeasured({ currentMetrics }: StatusV2): number | undefined {
  const all = (currentMetrics as MetricStatus[] | null | undefined) ?? []
  return all
    .filter(({ type, resource }) => type === 'Resource' && resource?.name === 'cpu')
    .findLast(({ resource }) => resource?.current?.averageUtilization !== undefined)?.resource
    ?.current.averageUtilization
}

/** An object of v2 that is shared: not to be changed. */
export function v2Of(v1: AutoscalerV1): AutoscalerV2 {
  const made = madeOf.get(v1)
  const { annotations, ...metadata } = v1.metadata
  const own = withoutRoundTrip(annotations)
  const head = {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v2',
    metadata: own === undefined ? metadata : { ...metadata, annotations: own },
  }
  if (made !== undefined && Bun.deepEquals(made.view, viewOf(v1))) {
    const { spec, status } = made.v2
    return { ...head, spec, ...(status && { status }) }
  }
  return { ...head, spec: specOfV1(v1), status: statusOfV1(v1) }
}

function specOfV1({ spec, metadata }: AutoscalerV1): SpecV2 {
  const { annotations } = metadata
  const percentage = spec?.targetCPUUtilizationPercentage
  const others = readJson(annotations?.[METRICS], (json) => json.list(metricOfV1)) ?? []
  const metrics = percentage === undefined ? others : [...others, cpuMetric(percentage)]
  const behavior = readJson(annotations?.[BEHAVIOR], behaviorOf)
  const { scaleTargetRef, minReplicas, maxReplicas } = spec ?? {}
  return given({
    scaleTargetRef,
    minReplicas,
    maxReplicas,
    // Before v2 the controller did as if this was there.
    metrics: metrics.length > 0 ? metrics : [cpuMetric(CPU_PERCENT)],
    behavior,
  }) as SpecV2
}

/** What is aimed at where nothing is said. */
const CPU_PERCENT = 80

export function cpuMetric(averageUtilization = CPU_PERCENT): MetricSpec {
  const target = { type: 'Utilization', averageUtilization }
  return { type: 'Resource', resource: { name: 'cpu', target } }
}

function behaviorOf(json: Json): Behavior | undefined {
  const [up, down] = [json.field('ScaleUp'), json.field('ScaleDown')]
  if (up.isMissing && down.isMissing) return undefined
  return given({
    scaleUp: up.isMissing ? undefined : rulesOf(up),
    scaleDown: down.isMissing ? undefined : rulesOf(down),
  })
}

function rulesOf(json: Json): HPAScalingRules {
  const policies = json.field('Policies')
  return given({
    stabilizationWindowSeconds: json.field('StabilizationWindowSeconds').integer(),
    selectPolicy: json.field('SelectPolicy').text(),
    policies: policies.isMissing
      ? undefined
      : policies.list((policy) => ({
          type: policy.field('Type').text() ?? '',
          value: policy.field('Value').integer() ?? 0,
          periodSeconds: policy.field('PeriodSeconds').integer() ?? 0,
        })),
    tolerance: json.field('Tolerance').scalar(),
  })
}

function statusOfV1({ status, metadata }: AutoscalerV1): StatusV2 {
  const { annotations } = metadata
  const percentage = status?.currentCPUUtilizationPercentage
  const byField = percentage === undefined ? undefined : [measuredCpu(percentage)]
  const measured = readJson(annotations?.[CURRENT_METRICS], (json) => json.list(measuredOfV1))
  const conditions = readJson(annotations?.[CONDITIONS], (json) => json.list(conditionOf))
  return given({
    observedGeneration: status?.observedGeneration,
    lastScaleTime: status?.lastScaleTime,
    currentReplicas: status?.currentReplicas || undefined,
    desiredReplicas: status?.desiredReplicas ?? 0,
    currentMetrics: measured ?? byField ?? null,
    conditions: conditions === undefined || conditions.length === 0 ? undefined : conditions,
  }) as unknown as StatusV2
}

function measuredCpu(averageUtilization: number): MetricStatus {
  return { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization } } }
}

function conditionOf(json: Json): Condition {
  return given({
    type: json.field('type').text() ?? '',
    status: json.field('status').text() ?? '',
    lastTransitionTime: json.field('lastTransitionTime').text() ?? null,
    reason: json.field('reason').text() || undefined,
    message: json.field('message').text() || undefined,
  }) as unknown as Condition
}

/** Without what is undefined. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}
