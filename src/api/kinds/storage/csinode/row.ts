import { internalForm } from '../../../pod/internal-form.ts'
import { defineResource } from '../../../resource.ts'
import type { CSINode, CSINodeDriver } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { type FieldErrors, ruleOf } from '../../../validation/field-errors.ts'
import { checkNonNegative, checkQualifiedName, IMMUTABLE } from '../../../validation/values.ts'
import { checkDriverName } from '../../../volume/remote-sources.ts'

export const csiNodes = defineResource<CSINode>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  type: 'io.k8s.api.storage.v1.CSINode',
  scope: 'Cluster',
  generationOf: false,
  metadataJudges: ['whole'],
  unconditionalUpdate: false,
  rules: [ruleOf(checkCsiNode)],
  answersDeleted: true,
  columns: [
    {
      name: 'Drivers',
      type: 'integer',
      priority: 0,
      description: 'How many CSI drivers have registered.',
      cell: ({ spec }) => (spec.drivers ?? []).length,
    },
    ageColumn,
  ],
})

function checkCsiNode(faults: FieldErrors, { spec }: CSINode, old: CSINode | undefined) {
  const names = new Set<string>()
  const drivers = spec.drivers ?? []
  for (const [index, driver] of drivers.entries()) {
    checkDriver(faults, `spec.drivers[${index}]`, driver, names)
  }
  const before = new Map((old?.spec.drivers ?? []).map((driver) => [driver.name, driver]))
  for (const driver of drivers) {
    const other = before.get(driver.name)
    if (other === undefined) continue
    const [now, then] = [driver, other].map(withoutLimit)
    if (!Bun.deepEquals(now, then)) faults.invalid('spec.drivers', now, IMMUTABLE)
  }
}

const NODE_ID_MAX = 256

function checkDriver(faults: FieldErrors, at: string, driver: CSINodeDriver, names: Set<string>) {
  const { name = '', nodeID = '', topologyKeys, allocatable } = driver
  checkDriverName(faults, `${at}.name`, name)
  if (!nodeID) faults.required(`${at}.nodeID`)
  if (Buffer.byteLength(nodeID) > NODE_ID_MAX) {
    faults.invalid(`${at}.nodeID`, nodeID, `must be ${NODE_ID_MAX} characters or less`)
  }
  checkNonNegative(faults, `${at}.allocatable.count`, allocatable?.count)
  if (names.has(name)) faults.duplicate(`${at}.name`, name)
  names.add(name)
  const keys = new Set<string>()
  for (const key of topologyKeys ?? []) {
    if (key === '') faults.required(at)
    if (keys.has(key)) faults.duplicate(at, key)
    keys.add(key)
    checkQualifiedName(faults, at, key)
  }
}

/** How many volumes a driver can hold may change; the rest of it stays. */
function withoutLimit({ allocatable: _limit, ...driver }: CSINodeDriver) {
  return internalForm('CSINodeDriver', driver)
}
