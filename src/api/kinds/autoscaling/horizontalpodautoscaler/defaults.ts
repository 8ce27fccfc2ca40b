import type { HorizontalPodAutoscaler, HPAScalingRules } from '../../../schema/generated/types.ts'
import { withoutRoundTrip } from './annotations.ts'
import { cpuMetric } from './convert.ts'

const PERIOD_SECONDS = 15

export function applyAutoscalerDefaults({ metadata, spec }: HorizontalPodAutoscaler) {
  dropRoundTrip(metadata)
  if (spec === undefined) return
  spec.minReplicas ??= 1
  if ((spec.metrics ?? []).length === 0) spec.metrics = [cpuMetric()]
  if (spec.behavior === undefined) return
  const doubled = { type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS }
  const fourMore = { type: 'Pods', value: 4, periodSeconds: PERIOD_SECONDS }
  const up = { stabilizationWindowSeconds: 0, selectPolicy: 'Max', policies: [fourMore, doubled] }
  spec.behavior.scaleUp = withDefaults(spec.behavior.scaleUp, up)
  const down = { selectPolicy: 'Max', policies: [doubled] }
  spec.behavior.scaleDown = withDefaults(spec.behavior.scaleDown, down)
}

function withDefaults(said: HPAScalingRules | undefined, rules: HPAScalingRules): HPAScalingRules {
  return { ...structuredClone(rules), ...said }
}

/** What v1 says in annotations v2 has fields for. */
function dropRoundTrip(metadata: HorizontalPodAutoscaler['metadata']) {
  if (metadata?.annotations === undefined) return
  const annotations = withoutRoundTrip(metadata.annotations)
  if (annotations === undefined) delete metadata.annotations
  else metadata.annotations = annotations
}
