// Volumes: one source each, and what the common sources must say.

import { isDnsSubdomainName } from '../../names.ts'
import { compareQuantity, parseQuantity, ZERO } from '../../quantity.ts'
import type { DownwardAPIVolumeSource, KeyToPath, Volume } from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkDnsLabel, checkFileMode } from '../../validation/values.ts'
import { checkPortalLength, REMOTE_SOURCES } from '../../volume/remote-sources.ts'
import { checkHostPath } from '../../volume/sources.ts'
import type { Check } from './check.ts'
import { checkClaimTemplate } from './claim-template.ts'
import { checkPullPolicy } from './containers.ts'
import { checkProjected } from './projected.ts'
import { checkDownwardFile, checkKeyToPath } from './volume-files.ts'

/** In upstream's order, which decides the one that counts when there are several. */
const SOURCES = [
  ...['emptyDir', 'hostPath', 'gitRepo', 'gcePersistentDisk', 'awsElasticBlockStore', 'secret'],
  ...['nfs', 'iscsi', 'glusterfs', 'flocker', 'persistentVolumeClaim', 'rbd', 'cinder', 'cephfs'],
  ...['quobyte', 'downwardAPI', 'fc', 'flexVolume', 'configMap', 'azureFile', 'vsphereVolume'],
  ...['photonPersistentDisk', 'portworxVolume', 'azureDisk', 'storageos', 'projected', 'scaleIO'],
  ...['csi', 'ephemeral', 'image'],
] as const
// Upstream's own spellings in paths.
const PATH_OF: Readonly<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' }
const SECOND_PATH_OF: Readonly<Record<string, string>> = {
  cephfs: 'cephFS',
  downwardAPI: 'downwarAPI',
}

/** Volumes without a fault are kept in `check.volumes`, for the mounts to be found. */
export function checkVolumes(check: Check, at: string) {
  const { faults, spec, volumes, meta } = check
  const podName = meta?.name
  const created = new Set(
    (podName ? (spec.volumes ?? []) : [])
      .filter((volume) => volume.ephemeral !== undefined)
      .map((volume) => `${podName}-${volume.name}`),
  )
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    const path = `${at}[${index}]`
    const before = faults.list.length
    checkSource(check, path, volume)
    const { name = '' } = volume
    if (!name) faults.required(`${path}.name`)
    else checkDnsLabel(faults, `${path}.name`, name)
    if (volumes.has(name)) faults.duplicate(`${path}.name`, name)
    if (faults.list.length === before) volumes.set(name, volume)
    const claim = volume.persistentVolumeClaim?.claimName
    if (claim && created.has(claim)) {
      const detail = 'must not reference a PVC that gets created for an ephemeral volume'
      faults.invalid(`${path}.persistentVolumeClaim.claimName`, claim, detail)
    }
  }
}

function checkSource(check: Check, at: string, volume: Volume) {
  const { faults } = check
  const given = SOURCES.filter((source) => volume[source] !== undefined)
  const [first, ...others] = given
  if (first === undefined) return faults.required(at, 'must specify a volume type')
  checkOne(check, at, volume, first)
  checkPortalLength(faults, at, volume)
  for (const source of others) {
    const path = `${at}.${SECOND_PATH_OF[source] ?? source}`
    faults.forbidden(path, 'may not specify more than 1 volume type')
  }
}

function checkOne(check: Check, at: string, volume: Volume, source: (typeof SOURCES)[number]) {
  const { faults } = check
  const path = `${at}.${PATH_OF[source] ?? source}`
  switch (source) {
    case 'emptyDir': {
      const limit = volume.emptyDir?.sizeLimit
      if (limit === undefined || compareQuantity(parseQuantity(limit), ZERO) >= 0) return
      const detail = 'SizeLimit field must be a valid resource quantity'
      return faults.forbidden(`${path}.sizeLimit`, detail)
    }
    case 'hostPath':
      return checkHostPath(faults, path, volume.hostPath!)
    case 'secret':
      if (!volume.secret!.secretName) faults.required(`${path}.secretName`)
      return checkFiles(faults, path, volume.secret!)
    case 'configMap':
      if (!volume.configMap!.name) faults.required(`${path}.name`)
      return checkFiles(faults, path, volume.configMap!)
    case 'persistentVolumeClaim':
      if (!volume.persistentVolumeClaim!.claimName) faults.required(`${path}.claimName`)
      return
    case 'downwardAPI':
      return checkDownwardApi(faults, path, volume.downwardAPI!)
    case 'projected':
      return checkProjected(faults, path, volume.projected!)
    case 'ephemeral':
      return checkEphemeral(check, at, volume)
    case 'image':
      if (check.meta && !volume.image!.reference) faults.required(`${path}.reference`)
      return checkPullPolicy(faults, `${path}.pullPolicy`, volume.image!.pullPolicy)
    default:
      return REMOTE_SOURCES[source](faults, path, volume)
  }
}

type Files = { defaultMode?: number; items?: KeyToPath[] }

function checkFiles(faults: FieldErrors, at: string, { defaultMode, items }: Files) {
  checkFileMode(faults, `${at}.defaultMode`, defaultMode)
  for (const [index, item] of (items ?? []).entries()) {
    checkKeyToPath(faults, `${at}.items[${index}]`, item)
  }
}

function checkDownwardApi(faults: FieldErrors, at: string, source: DownwardAPIVolumeSource) {
  checkFileMode(faults, `${at}.defaultMode`, source.defaultMode)
  for (const file of source.items ?? []) checkDownwardFile(faults, at, file)
}

function checkEphemeral({ faults, meta }: Check, at: string, { name, ephemeral }: Volume) {
  const template = ephemeral?.volumeClaimTemplate
  const path = `${at}.ephemeral.volumeClaimTemplate`
  if (template === undefined) faults.required(path)
  else checkClaimTemplate(faults, path, template)
  if (!meta?.name || !name) return
  const claim = `${meta.name}-${name}`
  for (const detail of isDnsSubdomainName(claim, false)) {
    faults.invalid(`${at}.name`, name, `PVC name "${claim}": ${detail}`)
  }
}
