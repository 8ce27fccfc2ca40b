// What a CSIDriver must be, and what of it may change (pkg/apis/storage/validation).

import type { CSIDriver, StorageV1TokenRequest } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkImmutable, checkSupported } from '../../../validation/values.ts'

const FS_GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType']
const PERIOD_SECONDS_MIN = 10

export function checkDriver(faults: FieldErrors, { spec }: CSIDriver, old: CSIDriver | undefined) {
  if (spec.attachRequired === undefined) faults.required('spec.attachedRequired')
  if (spec.podInfoOnMount === undefined) faults.required('spec.podInfoOnMount')
  if (spec.storageCapacity === undefined) faults.required('spec.storageCapacity')
  checkSupported(faults, 'spec.fsGroupPolicy', spec.fsGroupPolicy, FS_GROUP_POLICIES)
  checkTokens(faults, 'spec.tokenRequests', spec.tokenRequests ?? [])
  for (const mode of spec.volumeLifecycleModes ?? []) {
    checkSupported(faults, 'spec.volumeLifecycleModes', mode, ['Persistent', 'Ephemeral'])
  }
  if (spec.seLinuxMount === undefined) faults.required('spec.seLinuxMount')
  const period = spec.nodeAllocatableUpdatePeriodSeconds
  if (period !== undefined && period < PERIOD_SECONDS_MIN) {
    const detail = 'must be greater than or equal to 10 seconds'
    faults.invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, detail)
  }
  const inSecrets = spec.serviceAccountTokenInSecrets
  if (inSecrets !== undefined && (spec.tokenRequests ?? []).length === 0) {
    const detail = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified'
    faults.invalid('spec.serviceAccountTokenInSecrets', inSecrets, detail)
  }
  if (old) {
    const modes = 'volumeLifecycleModes'
    checkImmutable(faults, 'spec.attachedRequired', spec.attachRequired, old.spec.attachRequired)
    checkImmutable(faults, `spec.${modes}`, spec[modes], old.spec[modes])
  }
}

const TOKEN_SECONDS_MIN = 600
const TOKEN_SECONDS_MAX = 2 ** 32

function checkTokens(faults: FieldErrors, at: string, requests: readonly StorageV1TokenRequest[]) {
  const audiences = new Set<string>()
  for (const [index, { audience = '', expirationSeconds }] of requests.entries()) {
    if (audiences.has(audience)) {
      faults.duplicate(`${at}[${index}].audience`, audience)
      continue
    }
    audiences.add(audience)
    if (expirationSeconds === undefined) continue
    const path = `${at}[${index}].expirationSeconds`
    if (expirationSeconds < TOKEN_SECONDS_MIN) {
      const detail = 'may not specify a duration less than 10 minutes'
      faults.invalid(path, expirationSeconds, detail)
    }
    if (expirationSeconds > TOKEN_SECONDS_MAX) {
      const detail = 'may not specify a duration larger than 2^32 seconds'
      faults.invalid(path, expirationSeconds, detail)
    }
  }
}
