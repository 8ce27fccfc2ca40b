// HorizontalPodAutoscalers, at v1 and v2. They are stored as v2 has them.

import { defineResource } from '../../../resource.ts'
import type {
  AutoscalingV1HorizontalPodAutoscaler as AutoscalerV1,
  HorizontalPodAutoscaler as AutoscalerV2,
} from '../../../schema/generated/types.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { CONDITIONS, CURRENT_METRICS } from './annotations.ts'
import { autoscalerColumns } from './columns.ts'
import { become, copyOf, v1Of, v2Of } from './convert.ts'
import { applyAutoscalerDefaults } from './defaults.ts'
import { checkAutoscaler, checkAutoscalerStatus } from './validation.ts'

const common = {
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  storagePrefix: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  generationOf: false,
} as const

export const horizontalPodAutoscalers = defineResource<AutoscalerV2>({
  ...common,
  version: 'v2',
  type: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  defaults: applyAutoscalerDefaults,
  rules: [ruleOf(checkAutoscaler)],
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkAutoscalerStatus)] },
  columns: autoscalerColumns,
})

export const horizontalPodAutoscalersV1 = defineResource<AutoscalerV1>({
  ...common,
  version: 'v1',
  type: 'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler',
  toStored: v2Of,
  copy: copyOf,
  fromStored: (stored) => v1Of(stored as AutoscalerV2),
  defaults: (object) => {
    if (object.spec !== undefined) object.spec.minReplicas ??= 1
    become(object, v2Of(object))
  },
  prepareCreate: (object) => {
    delete object.metadata.annotations?.[CURRENT_METRICS]
    delete object.metadata.annotations?.[CONDITIONS]
    become(object, v2Of(object))
  },
  prepareUpdate: (object, old) => become(object, { ...v2Of(object), status: v2Of(old).status! }),
  rules: [ruleOf(atV2(checkAutoscaler))],
  status: {
    writes: ['metadata', 'status'],
    merge: (sent, stored) => {
      const merged = { ...stored, metadata: { ...sent.metadata } }
      become(merged, { ...v2Of(sent), spec: v2Of(stored).spec })
      return merged
    },
    rules: [ruleOf(atV2(checkAutoscalerStatus))],
  },
  columns: autoscalerColumns.map((column) => ({
    ...column,
    cell: (object: AutoscalerV1, nowMs: number) => column.cell(v2Of(object), nowMs),
  })),
})

type Check = (faults: FieldErrors, object: AutoscalerV2, old: AutoscalerV2 | undefined) => void

/** Paths of faults are those of v2, as upstream's are. */
function atV2(check: Check) {
  return (faults: FieldErrors, object: AutoscalerV1, old: AutoscalerV1 | undefined) =>
    check(faults, v2Of(object), old && v2Of(old))
}
