import { own } from '../../../../lib/own.ts'
import { OLD_NODE_LABELS } from '../../../node/labels.ts'
import { compareQuantity, parseQuantity, ZERO } from '../../../quantity.ts'
import { defineResource } from '../../../resource.ts'
import type { CSIStorageCapacity } from '../../../schema/generated/types.ts'
import { createdAtColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkLabelSelector, shownSelector } from '../../../validation/labels.ts'
import { IMMUTABLE, NOT_NEGATIVE, sameValue } from '../../../validation/values.ts'
import { checkClassName } from '../../../volume/sources.ts'

export const csiStorageCapacities = defineResource<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  type: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  generationOf: false,
  metadataJudges: ['whole', 'change'],
  unconditionalUpdate: false,
  rules: [ruleOf(checkStorageCapacity)],
  warnings: ({ nodeTopology }) => [
    ...(nodeTopology?.matchExpressions ?? []).flatMap(({ key }, index) => {
      const old = own(OLD_NODE_LABELS, key)
      const at = `nodeTopology.matchExpressions[${index}].key`
      return old === undefined ? [] : [`${at}: ${key} is ${old}`]
    }),
    ...Object.keys(nodeTopology?.matchLabels ?? {}).flatMap((key) => {
      const old = own(OLD_NODE_LABELS, key)
      return old === undefined ? [] : [`nodeTopology.matchLabels.${key}: ${old}`]
    }),
  ],
  columns: [createdAtColumn],
})

function checkStorageCapacity(
  faults: FieldErrors,
  { nodeTopology, storageClassName = '', capacity }: CSIStorageCapacity,
  old: CSIStorageCapacity | undefined,
) {
  checkLabelSelector(faults, 'nodeTopology', nodeTopology)
  checkClassName(faults, 'storageClassName', storageClassName)
  if (capacity !== undefined && compareQuantity(parseQuantity(capacity), ZERO) < 0) {
    faults.invalid('capacity', capacity, NOT_NEGATIVE)
  }
  if (!old) return
  if (!sameValue(nodeTopology, old.nodeTopology)) {
    faults.invalid('nodeTopology', shownSelector(nodeTopology), IMMUTABLE)
  }
  if (storageClassName !== old.storageClassName) {
    faults.invalid('storageClassName', storageClassName, IMMUTABLE)
  }
}
