// Claims that are made for a pod and go with it.

import type { PersistentVolumeClaimTemplate } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkAnnotations, checkLabels } from '../../validation/labels.ts'
import { checkClaimSpec } from '../../volume/claim-spec.ts'

// In the order of Go's ObjectMeta.
const NOT_IN_TEMPLATES = [
  ...(['name', 'generateName', 'namespace', 'selfLink', 'uid', 'resourceVersion'] as const),
  ...(['generation', 'creationTimestamp', 'deletionTimestamp'] as const),
  ...(['deletionGracePeriodSeconds', 'ownerReferences', 'finalizers', 'managedFields'] as const),
]

export function checkClaimTemplate(
  faults: FieldErrors,
  at: string,
  { metadata = {}, spec }: PersistentVolumeClaimTemplate,
) {
  checkAnnotations(faults, `${at}.metadata.annotations`, metadata.annotations)
  checkLabels(faults, `${at}.metadata.labels`, metadata.labels)
  for (const field of NOT_IN_TEMPLATES) {
    if (!metadata[field]) continue
    const path = field === 'uid' ? 'uID' : field
    faults.forbidden(`${at}.metadata.${path}`, 'cannot be set')
  }
  checkClaimSpec(faults, `${at}.spec`, spec ?? {})
}
