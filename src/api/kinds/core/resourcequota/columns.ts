// What tables print of a ResourceQuota: how much of each resource is used.

import { own } from '../../../../lib/own.ts'
import type { Column } from '../../../resource.ts'
import type { ResourceQuota } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'

export const quotaColumns: readonly Column<ResourceQuota>[] = [
  usageColumn('Request', 'Used and allowed of requests and counts.', false),
  usageColumn('Limit', 'Used and allowed of limits.', true),
  ageColumn,
]

function usageColumn(name: string, description: string, ofLimits: boolean): Column<ResourceQuota> {
  const cell = ({ status }: ResourceQuota) =>
    Object.entries(status?.hard ?? {})
      .filter(([resource]) => resource.startsWith('limits.') === ofLimits)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([resource, hard]) => `${resource}: ${own(status?.used, resource) ?? '0'}/${hard}`)
      .join(', ')
  return { name, type: 'string', priority: 0, description, cell }
}
