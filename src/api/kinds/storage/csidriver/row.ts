import { defineResource } from '../../../resource.ts'
import type { CSIDriver } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { sameValue } from '../../../validation/values.ts'
import { driverColumns } from './columns.ts'
import { checkDriver } from './validation.ts'

export const csiDrivers = defineResource<CSIDriver>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  type: 'io.k8s.api.storage.v1.CSIDriver',
  scope: 'Cluster',
  // Its changes are counted, but not its beginning.
  generationOf: false,
  unconditionalUpdate: false,
  defaults: ({ spec }) => {
    spec.attachRequired ??= true
    spec.podInfoOnMount ??= false
    spec.storageCapacity ??= false
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent']
    spec.requiresRepublish ??= false
    spec.seLinuxMount ??= false
  },
  prepareCreate: dropDisabled,
  prepareUpdate: (driver, old) => {
    dropDisabled(driver)
    if (Bun.deepEquals(driver.spec, old.spec)) return
    driver.metadata.generation = (old.metadata.generation ?? 0) + 1
  },
  rules: [ruleOf(checkDriver)],
  warnings: ({ spec }, old) => {
    const { tokenRequests = [], serviceAccountTokenInSecrets } = spec
    const isSaid = serviceAccountTokenInSecrets !== undefined || tokenRequests.length === 0
    return isSaid || sameValue(tokenRequests, old?.spec.tokenRequests) ? [] : [TOKENS_IN_SECRETS]
  },
  answersDeleted: true,
  columns: driverColumns,
})

const TOKENS_IN_SECRETS =
  'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to' +
  ' prevent possible logging of tokens in volume attributes'

/** Off by default. */
function dropDisabled({ spec }: CSIDriver) {
  delete spec.preventPodSchedulingIfMissing
}
