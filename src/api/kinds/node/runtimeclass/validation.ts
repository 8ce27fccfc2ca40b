// What a RuntimeClass must be (pkg/apis/node/validation).

import { internalForm } from '../../../pod/internal-form.ts'
import { checkRequirements } from '../../../pod/spec/quantities.ts'
import { checkTolerations } from '../../../pod/spec/scheduling.ts'
import type { RuntimeClass, Toleration } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkLabels } from '../../../validation/labels.ts'
import { checkDnsLabel, checkImmutable } from '../../../validation/values.ts'

export function checkRuntimeClass(
  faults: FieldErrors,
  { handler, overhead, scheduling }: RuntimeClass,
  old: RuntimeClass | undefined,
) {
  if (!handler) faults.required('handler')
  else checkDnsLabel(faults, 'handler', handler)
  // Judged as limits, which is what the path of a fault says.
  if (overhead) checkRequirements(faults, 'overhead', { limits: overhead.podFixed ?? {} })
  if (scheduling) {
    checkLabels(faults, 'scheduling.nodeSelector', scheduling.nodeSelector)
    checkEach(faults, 'scheduling.tolerations', scheduling.tolerations ?? [])
  }
  if (old !== undefined) checkImmutable(faults, 'handler', handler ?? '', old.handler)
}

function checkEach(faults: FieldErrors, at: string, tolerations: readonly Toleration[]) {
  checkTolerations(faults, at, tolerations)
  const seen = new Set<string>()
  for (const [index, toleration] of tolerations.entries()) {
    const { key = '', operator = '', value = '', effect = '' } = toleration
    const identity = JSON.stringify([key, operator, value, effect])
    if (seen.has(identity)) {
      faults.duplicate(`${at}[${index}]`, internalForm('Toleration', toleration))
    }
    seen.add(identity)
  }
}
