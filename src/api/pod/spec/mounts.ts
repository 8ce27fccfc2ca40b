// Where volumes appear in a container: as folders and as block devices.

import type { Container, VolumeMount } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDescendingPath, hasBackstep } from '../../validation/paths.ts'
import { checkSupported } from '../../validation/values.ts'
import type { Check } from './check.ts'

export function checkVolumeMounts({ faults, volumes }: Check, at: string, container: Container) {
  // One path for each name, the last: upstream looks them up in a map.
  const devices = new Map(
    (container.volumeDevices ?? []).map(({ name, devicePath }) => [name, devicePath]),
  )
  const paths = new Set<string>()
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const path = `${at}[${index}]`
    const { name = '', mountPath = '', subPath, subPathExpr } = mount
    if (!name) faults.required(`${path}.name`)
    if (!volumes.has(name)) faults.notFound(`${path}.name`, name)
    if (!mountPath) faults.required(`${path}.mountPath`)
    if (paths.has(mountPath)) faults.invalid(`${path}.mountPath`, mountPath, 'must be unique')
    paths.add(mountPath)
    if (devices.has(name)) {
      faults.invalid(`${path}.name`, name, 'must not already exist in volumeDevices')
    }
    if ([...devices.values()].includes(mountPath)) {
      const detail = 'must not already exist as a path in volumeDevices'
      faults.invalid(`${path}.mountPath`, mountPath, detail)
    }
    if (subPath) checkDescendingPath(faults, `${at}.subPath`, subPath)
    if (subPathExpr) {
      if (subPath) {
        const detail = 'subPathExpr and subPath are mutually exclusive'
        faults.invalid(`${path}.subPathExpr`, subPathExpr, detail)
      }
      checkDescendingPath(faults, `${at}.subPathExpr`, subPathExpr)
    }
    checkPropagation(faults, `${at}.mountPropagation`, mount, container)
    checkRecursiveReadOnly(faults, `${at}.recursiveReadOnly`, mount)
  }
}

function checkPropagation(
  faults: FieldErrors,
  at: string,
  mount: VolumeMount,
  container: Container,
) {
  const propagation = mount.mountPropagation
  if (propagation === undefined) return
  checkSupported(faults, at, propagation, ['Bidirectional', 'HostToContainer', 'None'])
  if (propagation === 'Bidirectional' && !container.securityContext?.privileged) {
    const detail = 'Bidirectional mount propagation is available only to privileged containers'
    faults.forbidden(at, detail)
  }
}

function checkRecursiveReadOnly(faults: FieldErrors, at: string, mount: VolumeMount) {
  const { recursiveReadOnly, readOnly, mountPropagation = 'None' } = mount
  if (recursiveReadOnly === undefined) return
  checkSupported(faults, at, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'])
  if (!['Enabled', 'IfPossible'].includes(recursiveReadOnly)) return
  if (!readOnly) faults.forbidden(at, 'may only be specified when readOnly is true')
  if (mountPropagation !== 'None') {
    const detail = 'may only be specified when mountPropagation is None or not specified'
    faults.forbidden(at, detail)
  }
}

export function checkVolumeDevices({ faults, volumes }: Check, at: string, container: Container) {
  const mounts = new Map(
    (container.volumeMounts ?? []).map(({ name, mountPath }) => [name, mountPath]),
  )
  const [names, paths] = [new Set<string>(), new Set<string>()]
  for (const [index, { name = '', devicePath = '' }] of (container.volumeDevices ?? []).entries()) {
    const path = `${at}[${index}]`
    const volume = volumes.get(name)
    if (!name) faults.required(`${path}.name`)
    if (names.has(name)) faults.invalid(`${path}.name`, name, 'must be unique')
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral) {
      const types = 'PersistentVolumeClaim or Ephemeral'
      const detail = `can only use volume source type of ${types} for block mode`
      faults.invalid(`${path}.name`, name, detail)
    }
    if (volume === undefined) faults.notFound(`${path}.name`, name)
    if (!devicePath) faults.required(`${path}.devicePath`)
    if (paths.has(devicePath)) faults.invalid(`${path}.devicePath`, devicePath, 'must be unique')
    if (devicePath && hasBackstep(devicePath)) {
      faults.invalid(`${path}.devicePath`, devicePath, "can not contain backsteps ('..')")
    } else paths.add(devicePath)
    if (mounts.has(name)) {
      faults.invalid(`${path}.name`, name, 'must not already exist in volumeMounts')
    }
    if ([...mounts.values()].includes(devicePath)) {
      const detail = 'must not already exist as a path in volumeMounts'
      faults.invalid(`${path}.devicePath`, devicePath, detail)
    }
    if (name) names.add(name)
  }
}
