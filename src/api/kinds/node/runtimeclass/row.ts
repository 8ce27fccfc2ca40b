// How containers of a pod are run: by which handler of the node, at what cost, on which nodes.

import { nodeLabelWarning } from '../../../node/labels.ts'
import { defineResource } from '../../../resource.ts'
import type { RuntimeClass } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkRuntimeClass } from './validation.ts'

export const runtimeClasses = defineResource<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  singular: 'runtimeclass',
  type: 'io.k8s.api.node.v1.RuntimeClass',
  scope: 'Cluster',
  generationOf: false,
  unconditionalUpdate: false,
  createOnUpdate: true,
  rules: [ruleOf(checkRuntimeClass)],
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const warning = nodeLabelWarning(key)
      return warning === undefined ? [] : [`scheduling.nodeSelector: ${warning}`]
    }),
  columns: [
    textColumn('Handler', 0, 'What the runtime of the node calls it.', ({ handler }) => handler),
    ageColumn,
  ],
})
