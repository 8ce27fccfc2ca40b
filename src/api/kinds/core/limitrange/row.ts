import { defineResource } from '../../../resource.ts'
import type { LimitRange, LimitRangeItem } from '../../../schema/generated/types.ts'
import { createdAtColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { checkLimitRange } from './validation.ts'

export const limitRanges = defineResource<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  type: 'io.k8s.api.core.v1.LimitRange',
  metadataJudges: ['whole'],
  shortNames: ['limits'],
  generationOf: false,
  createOnUpdate: true,
  defaults: ({ spec }) => {
    for (const item of spec?.limits ?? []) applyItemDefaults(item)
  },
  prepareCreate: ({ metadata }, { uuid }) => {
    metadata.name ||= uuid()
  },
  rules: [ruleOf(checkLimitRange)],
  columns: [createdAtColumn],
})

/** For containers: limits from the maximum, requests from the limits, then from the minimum. */
function applyItemDefaults(item: LimitRangeItem) {
  if (item.type !== 'Container') return
  const limits = { ...item.max, ...item.default }
  const requests = { ...item.min, ...limits, ...item.defaultRequest }
  if (Object.keys(limits).length > 0) item.default = limits
  if (Object.keys(requests).length > 0) item.defaultRequest = requests
}
