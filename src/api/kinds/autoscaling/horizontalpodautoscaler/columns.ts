import type { Column } from '../../../resource.ts'
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
} from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { textColumn } from '../../../workload/columns.ts'

type Autoscaler = HorizontalPodAutoscaler

export const autoscalerColumns: readonly Column<Autoscaler>[] = [
  textColumn('Reference', 0, 'What is scaled.', ({ spec }) => {
    return `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`
  }),
  textColumn('Targets', 0, 'What is measured, and what is aimed at.', targetsOf),
  textColumn('MinPods', 0, 'The fewest pods.', ({ spec }) => {
    return spec?.minReplicas === undefined ? '<unset>' : String(spec.minReplicas)
  }),
  textColumn('MaxPods', 0, 'The most pods.', ({ spec }) => spec?.maxReplicas ?? 0),
  textColumn('Replicas', 0, 'Pods that there are.', ({ status }) => status?.currentReplicas ?? 0),
  ageColumn,
]

const METRICS_SHOWN_MAX = 2
const UNKNOWN = '<unknown>'

function targetsOf({ spec, status }: Autoscaler): string {
  const metrics = spec?.metrics ?? []
  if (metrics.length === 0) return '<none>'
  const measured = (status?.currentMetrics as MetricStatus[] | null | undefined) ?? []
  const shown = metrics.map((metric, index) => metricText(metric, measured[index]))
  const text = shown.slice(0, METRICS_SHOWN_MAX).join(', ')
  const more = shown.length - METRICS_SHOWN_MAX
  return more > 0 ? `${text} + ${more} more...` : text
}

function metricText(metric: MetricSpec, measured: MetricStatus | undefined): string {
  switch (metric.type) {
    case 'External':
      return valueText(metric.external?.target, measured?.external?.current)
    case 'Object':
      return valueText(metric.object?.target, measured?.object?.current)
    case 'Pods': {
      const current = measured?.pods?.current.averageValue ?? UNKNOWN
      return `${current}/${metric.pods?.target.averageValue ?? ''}`
    }
    case 'Resource':
      return resourceText(metric.resource, measured?.resource?.current)
    case 'ContainerResource':
      return resourceText(metric.containerResource, measured?.containerResource?.current)
    default:
      return '<unknown type>'
  }
}

type Target = NonNullable<MetricSpec['external']>['target']
type Current = NonNullable<MetricStatus['external']>['current']

function valueText(target: Target | undefined, current: Current | undefined): string {
  if (target?.averageValue !== undefined) {
    return `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`
  }
  return `${current?.value ?? UNKNOWN}/${target?.value ?? ''}`
}

function resourceText(
  metric: { name: string; target: Target } | undefined,
  current: Current | undefined,
): string {
  const { averageValue, averageUtilization } = metric?.target ?? {}
  const name = metric?.name ?? ''
  if (averageValue !== undefined) {
    return `${name}: ${current?.averageValue ?? UNKNOWN}/${averageValue}`
  }
  const percent = (value: number | undefined, none: string) =>
    value === undefined ? none : `${value}%`
  const now = percent(current?.averageUtilization, UNKNOWN)
  return `${name}: ${now}/${percent(averageUtilization, '<auto>')}`
}
