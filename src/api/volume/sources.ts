// Where a persistent volume is: one source each (pkg/apis/core/validation).

import { isDnsLabelName, isDnsSubdomainName, rangeFaults } from '../names.ts'
import type {
  CSIPersistentVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  PersistentVolumeSpec,
  SecretReference,
  Volume,
} from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkNoBacksteps } from '../validation/paths.ts'
import { checkDnsLabel, checkDnsSubdomain, checkSupported } from '../validation/values.ts'
import {
  checkDriverName,
  initiatorFault,
  PORTAL_BYTES_MAX,
  REMOTE_SOURCES,
  requireAll,
} from './remote-sources.ts'

/** In upstream's order, which decides the one that counts when there are several. */
const SOURCES = [
  ...(['hostPath', 'gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'flocker'] as const),
  ...(['nfs', 'rbd', 'quobyte', 'cephfs', 'iscsi', 'cinder', 'fc', 'flexVolume'] as const),
  ...(['azureFile', 'vsphereVolume', 'photonPersistentDisk', 'portworxVolume'] as const),
  ...(['azureDisk', 'scaleIO', 'local', 'storageos', 'csi'] as const),
]
type Source = (typeof SOURCES)[number]

// Upstream's own spellings in paths.
const PATH_OF: Readonly<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' }
const SECOND_PATH_OF: Readonly<Record<string, string>> = { cephfs: 'cephFS' }

/** `name` is that of the volume; empty for a volume that is no object of its own. */
export function checkSource(
  faults: FieldErrors,
  at: string,
  spec: PersistentVolumeSpec,
  name: string,
) {
  const given = SOURCES.filter((source) => spec[source] !== undefined)
  for (const [index, source] of given.entries()) {
    if (index === 0 || source === 'flexVolume') {
      checkOne({ faults, at: `${at}.${PATH_OF[source] ?? source}`, spec, name }, source)
      if (source === 'local' && spec.nodeAffinity === undefined) {
        faults.required(`${at}.nodeAffinity`, 'Local volume requires node affinity')
      }
    } else {
      const path = `${at}.${SECOND_PATH_OF[source] ?? source}`
      faults.forbidden(path, 'may not specify more than 1 volume type')
    }
  }
  if (given.length === 0) faults.required(at, 'must specify a volume type')
}

type One = { faults: FieldErrors; at: string; spec: PersistentVolumeSpec; name: string }

function checkOne({ faults, at, spec, name }: One, source: Source) {
  switch (source) {
    case 'hostPath':
      return checkHostPath(faults, at, spec.hostPath!)
    case 'local':
      if (!spec.local!.path) return faults.required(`${at}.path`)
      return checkNoBacksteps(faults, `${at}.path`, spec.local!.path)
    case 'glusterfs':
      requireAll(faults, at, spec.glusterfs, ['endpoints', 'path'])
      return checkEndpointsNamespace(faults, at, spec.glusterfs!.endpointsNamespace)
    case 'iscsi':
      return checkIscsi(faults, at, spec.iscsi!, name)
    case 'cinder':
      requireAll(faults, at, spec.cinder, ['volumeID'])
      return checkPresent(faults, `${at}.secretRef`, spec.cinder!.secretRef)
    case 'azureFile': {
      requireAll(faults, at, spec.azureFile, ['secretName', 'shareName'])
      if (spec.azureFile!.secretNamespace === '') faults.required(`${at}.secretNamespace`)
      return
    }
    case 'storageos': {
      const { volumeName, volumeNamespace, secretRef } = spec.storageos!
      requireAll(faults, at, spec.storageos, ['volumeName'])
      if (volumeName) checkDnsLabel(faults, `${at}.volumeName`, volumeName)
      if (volumeNamespace) checkDnsLabel(faults, `${at}.volumeNamespace`, volumeNamespace)
      return checkPresent(faults, `${at}.secretRef`, secretRef)
    }
    case 'csi':
      return checkCsi(faults, at, spec.csi!)
    default:
      // The same in a pod and in a volume of its own.
      return REMOTE_SOURCES[source](faults, at, { ...(spec as Partial<Volume>), name })
  }
}

const HOST_PATH_TYPES = [
  ...['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File'],
  ...['FileOrCreate', 'Socket'],
]

export function checkHostPath(
  faults: FieldErrors,
  at: string,
  { path, type }: HostPathVolumeSource,
) {
  if (!path) return faults.required(`${at}.path`)
  checkNoBacksteps(faults, `${at}.path`, path)
  if (type !== undefined) checkSupported(faults, `${at}.type`, type, HOST_PATH_TYPES)
}

function checkEndpointsNamespace(faults: FieldErrors, at: string, namespace: string | undefined) {
  if (namespace === undefined) return
  const path = `${at}.endpointsNamespace`
  const unset = 'if the endpointnamespace is set, it must be a valid namespace name'
  if (namespace === '') faults.invalid(path, namespace, unset)
  else faults.invalidAll(path, namespace, isDnsLabelName(namespace, false))
}

function checkIscsi(
  faults: FieldErrors,
  at: string,
  iscsi: ISCSIPersistentVolumeSource,
  volumeName: string,
) {
  const { targetPortal = '', iqn = '', lun = 0, initiatorName, secretRef } = iscsi
  if (!targetPortal) faults.required(`${at}.targetPortal`)
  const portal = `${volumeName}:${targetPortal}`
  if (initiatorName !== undefined && Buffer.byteLength(portal) > PORTAL_BYTES_MAX) {
    const length = 'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters'
    const detail = `${length} if iscsi.initiatorName is specified.`
    faults.invalid(`${at}.targetportal`, targetPortal, detail)
  }
  const isBad = (text: string) => initiatorFault(text) !== undefined
  if (!iqn) faults.required(`${at}.iqn`)
  else if (isBad(iqn)) faults.invalid(`${at}.iqn`, iqn, 'must be valid format')
  faults.invalidAll(`${at}.lun`, lun, rangeFaults(lun, 0, 255))
  const wantsSecret = iscsi.chapAuthDiscovery || iscsi.chapAuthSession
  if (wantsSecret && !secretRef) faults.required(`${at}.secretRef`)
  if (secretRef && !secretRef.name) faults.required(`${at}.secretRef.name`)
  if (initiatorName !== undefined && isBad(initiatorName)) {
    faults.invalid(`${at}.initiatorname`, initiatorName, 'must be valid format')
  }
}

function checkPresent(faults: FieldErrors, at: string, secret: SecretReference | undefined) {
  if (secret === undefined) return
  if (!secret.name) faults.required(`${at}.name`)
  if (!secret.namespace) faults.required(`${at}.namespace`)
}

const CSI_SECRETS = [
  ...(['controllerPublishSecretRef', 'controllerExpandSecretRef'] as const),
  ...(['nodePublishSecretRef', 'nodeExpandSecretRef'] as const),
]

function checkCsi(faults: FieldErrors, at: string, csi: CSIPersistentVolumeSource) {
  checkDriverName(faults, `${at}.driver`, csi.driver)
  if (!csi.volumeHandle) faults.required(`${at}.volumeHandle`)
  for (const field of CSI_SECRETS) {
    if (csi[field]) checkSecret(faults, `${at}.${field}`, csi[field])
  }
}

function checkSecret(faults: FieldErrors, at: string, { name, namespace }: SecretReference) {
  if (!name) faults.required(`${at}.name`)
  else checkDnsSubdomain(faults, `${at}.name`, name)
  if (!namespace) faults.required(`${at}.namespace`)
  else checkDnsLabel(faults, `${at}.namespace`, namespace)
}

/** Names of storage classes and the like. */
export function checkClassName(faults: FieldErrors, at: string, name: string) {
  faults.invalidAll(at, name, isDnsSubdomainName(name, false))
}
