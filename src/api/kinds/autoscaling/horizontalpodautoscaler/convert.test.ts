import { expect, test } from 'bun:test'
import { everyCase } from '../../../../../test/support/every-case.ts'
import type {
  AutoscalingV1HorizontalPodAutoscaler as AutoscalerV1,
  HorizontalPodAutoscaler as AutoscalerV2,
  MetricSpec,
  MetricStatus,
} from '../../../schema/generated/types.ts'
import { copyOf, v1Of, v2Of } from './convert.ts'

const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
const selector = { matchLabels: { a: '<b>' } }
const object = { kind: 'Service', name: 's' }

const METRICS: readonly MetricSpec[] = [
  { type: 'Resource', resource: { name: 'cpu', target: utilization(50) } },
  { type: 'Resource', resource: { name: 'cpu', target: average('1') } },
  { type: 'Resource', resource: { name: 'memory', target: utilization(70) } },
  {
    type: 'ContainerResource',
    containerResource: { name: 'cpu', container: 'c', target: utilization(5) },
  },
  {
    type: 'ContainerResource',
    containerResource: { name: 'memory', container: 'c', target: average('1Gi') },
  },
  { type: 'Pods', pods: { metric: { name: 'p', selector }, target: average('1k') } },
  {
    type: 'Object',
    object: { describedObject: object, metric: { name: 'o' }, target: value('3') },
  },
  {
    type: 'Object',
    object: { describedObject: object, metric: { name: 'o', selector }, target: average('500m') },
  },
  { type: 'External', external: { metric: { name: 'e' }, target: value('30500m') } },
  { type: 'External', external: { metric: { name: 'e', selector }, target: average('1') } },
]

function utilization(averageUtilization: number) {
  return { type: 'Utilization', averageUtilization }
}
function average(averageValue: string) {
  return { type: 'AverageValue', averageValue }
}
function value(text: string) {
  return { type: 'Value', value: text }
}

const MEASURED: readonly MetricStatus[] = [
  { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 5 } } },
  { type: 'Pods', pods: { metric: { name: 'p', selector }, current: { averageValue: '2' } } },
  {
    type: 'External',
    external: { metric: { name: 'e' }, current: { value: '1', averageValue: '2' } },
  },
]

const BEHAVIORS = [
  undefined,
  { scaleDown: { stabilizationWindowSeconds: 0, selectPolicy: 'Min' } },
  {
    scaleUp: { policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }], tolerance: '50m' },
    scaleDown: { policies: [] },
  },
]

function anAutoscaler(metrics: readonly MetricSpec[], more: Partial<AutoscalerV2> = {}) {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', annotations: { mine: 'x' } },
    spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 3, metrics: [...metrics] },
    status: { desiredReplicas: 0, currentMetrics: null as unknown as MetricStatus[] },
    ...more,
  } as AutoscalerV2
}

/** As if nobody knew what it was made from: as a client sends it back. */
const sentBack = (v1: AutoscalerV1) => v2Of(structuredClone(v1))

const isCpuPercentage = ({ resource }: MetricSpec) =>
  resource?.name === 'cpu' && resource.target.averageUtilization !== undefined

test('every metric survives the way to v1 and back; that of the processor comes last', () => {
  everyCase((choose) => {
    const metrics = [choose(METRICS), choose(METRICS.slice(1))]
    const behavior = choose(BEHAVIORS)
    const { spec, ...rest } = anAutoscaler(metrics)
    const v2 = { ...rest, spec: { ...spec, ...(behavior && { behavior }) } }
    const back = sentBack(v1Of(v2))
    const ordered = [
      ...metrics.filter((metric) => !isCpuPercentage(metric)),
      ...metrics.filter(isCpuPercentage),
    ]
    expect(back).toEqual({ ...v2, spec: { ...v2.spec, metrics: ordered } })
  })
})

test('what v1 was made from is stored again when v1 was not changed', () => {
  const v2 = anAutoscaler(METRICS, {
    status: { currentReplicas: 2, desiredReplicas: 2, currentMetrics: [...MEASURED] },
  })
  const v1 = v1Of(v2)
  expect(v2Of(v1)).toEqual(v2)
  expect(v2Of(copyOf(v1))).toEqual(v2)
  const changed = copyOf(v1)
  changed.spec.maxReplicas = 9
  expect(v2Of(changed).spec.maxReplicas).toBe(9)
  expect(v2Of(v1)).toEqual(v2)
  changed.metadata.labels = { a: 'b' }
  expect(v2Of(changed).metadata).toEqual({ ...v2.metadata, labels: { a: 'b' } })
})

test('what was measured says zero at v1 where it says nothing at v2', () => {
  const v2 = anAutoscaler([], { status: { desiredReplicas: 1, currentMetrics: [...MEASURED] } })
  const measured = sentBack(v1Of(v2)).status?.currentMetrics
  expect(measured?.[0]?.resource?.current).toEqual({ averageUtilization: 5, averageValue: '0' })
  expect(measured?.slice(1)).toEqual(MEASURED.slice(1))
  expect(v1Of(v2).status?.currentCPUUtilizationPercentage).toBe(5)
})

test('annotations that nobody can read count as missing, and never fail', () => {
  const key = (name: string) => `autoscaling.alpha.kubernetes.io/${name}`
  const texts = ['[', '{}', 'null', '[]', '[1]', '[{"type":5}]', '[{"resource":[]}]', '"x"']
  everyCase((choose) => {
    const text = choose([...texts, '[{"pods":{"targetAverageValue":"x"}}]'])
    const names = ['metrics', 'current-metrics', 'conditions', 'behavior']
    const v1: AutoscalerV1 = {
      metadata: { name: 'a', annotations: { [key(choose(names))]: text, mine: 'x' } },
      spec: { scaleTargetRef, maxReplicas: 1, targetCPUUtilizationPercentage: 7 },
    }
    const { metadata, spec } = v2Of(v1)
    expect(metadata.annotations).toEqual({ mine: 'x' })
    expect(spec.metrics?.at(-1)?.resource?.target.averageUtilization).toBe(7)
    expect(spec.behavior).toBeUndefined()
  })
})

test('names in annotations are read in any case, as Go reads them', () => {
  const behavior = '{"scaleup":{"SELECTPOLICY":"Max","policies":[{"type":"Pods","Value":1}]}}'
  const { spec } = v2Of({
    metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/behavior': behavior } },
    spec: { scaleTargetRef, maxReplicas: 1 },
  })
  const policies = [{ type: 'Pods', value: 1, periodSeconds: 0 }]
  expect(spec.behavior).toEqual({ scaleUp: { selectPolicy: 'Max', policies } })
})
