import { isPathSegmentName } from '../../../names.ts'
import { defineResource } from '../../../resource.ts'
import type { PodDisruptionBudget } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkBudget, checkBudgetStatus } from './validation.ts'

export const podDisruptionBudgets = defineResource<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  type: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  // Upstream's rules leave metadata to the registry, which is less strict.
  metadataJudges: [],
  nameRule: isPathSegmentName,
  shortNames: ['pdb'],
  unconditionalUpdate: false,
  rules: [ruleOf(checkBudget)],
  status: { writes: ['metadata', 'status'], rules: [ruleOf(checkBudgetStatus)] },
  columns: [
    textColumn('Min Available', 0, 'Pods that must stay available.', ({ spec }) =>
      shown(spec?.minAvailable),
    ),
    textColumn('Max Unavailable', 0, 'Pods that may be unavailable.', ({ spec }) =>
      shown(spec?.maxUnavailable),
    ),
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      priority: 0,
      description: 'Pods that may be evicted now.',
      cell: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ],
})

function shown(amount: number | string | undefined): string {
  return `${amount ?? 'N/A'}`
}
