// Volumes on other machines. Nodes of kedge cannot mount most of them; they are judged all the
// same, because templates that name them may be stored for other clusters.

import { dnsSubdomainFaults, isDnsSubdomainName, rangeFaults } from '../names.ts'
import type { Volume } from '../schema/generated/types.ts'
import type { FieldErrors } from '../validation/field-errors.ts'
import { checkDescendingPath } from '../validation/paths.ts'
import { checkDnsLabel, checkSupported } from '../validation/values.ts'

type Source = Exclude<
  keyof Volume,
  | 'name'
  | 'emptyDir'
  | 'hostPath'
  | 'secret'
  | 'configMap'
  | 'persistentVolumeClaim'
  | 'downwardAPI'
  | 'projected'
  | 'ephemeral'
  | 'image'
>
type SourceCheck = (faults: FieldErrors, at: string, volume: Volume) => void

export const REMOTE_SOURCES: Readonly<Record<Source, SourceCheck>> = {
  gitRepo: (faults, at, { gitRepo }) => {
    requireAll(faults, at, gitRepo, ['repository'])
    checkDescendingPath(faults, `${at}.directory`, gitRepo?.directory ?? '')
  },
  gcePersistentDisk: (faults, at, { gcePersistentDisk: disk }) => {
    requireAll(faults, at, disk, ['pdName'])
    checkPartition(faults, `${at}.partition`, disk?.partition)
  },
  awsElasticBlockStore: (faults, at, { awsElasticBlockStore: disk }) => {
    requireAll(faults, at, disk, ['volumeID'])
    checkPartition(faults, `${at}.partition`, disk?.partition)
  },
  nfs: (faults, at, { nfs }) => {
    requireAll(faults, at, nfs, ['server', 'path'])
    if (nfs?.path?.startsWith('/')) return
    faults.invalid(`${at}.path`, nfs?.path ?? '', 'must be an absolute path')
  },
  iscsi: checkIscsi,
  glusterfs: (faults, at, { glusterfs }) => {
    requireAll(faults, at, glusterfs, ['endpoints', 'path'])
  },
  flocker: checkFlocker,
  rbd: (faults, at, { rbd }) => {
    requireAll(faults, at, rbd, ['monitors', 'image'])
  },
  cinder: (faults, at, { cinder }) => {
    requireAll(faults, at, cinder, ['volumeID'])
    if (cinder?.secretRef && !cinder.secretRef.name) faults.required(`${at}.secretRef.name`)
  },
  cephfs: (faults, at, { cephfs }) => requireAll(faults, at, cephfs, ['monitors']),
  quobyte: checkQuobyte,
  fc: checkFibreChannel,
  flexVolume: checkFlexVolume,
  azureFile: (faults, at, { azureFile }) => {
    requireAll(faults, at, azureFile, ['secretName', 'shareName'])
  },
  vsphereVolume: (faults, at, { vsphereVolume }) => {
    requireAll(faults, at, vsphereVolume, ['volumePath'])
  },
  photonPersistentDisk: (faults, at, { photonPersistentDisk }) => {
    requireAll(faults, at, photonPersistentDisk, ['pdID'])
  },
  portworxVolume: (faults, at, { portworxVolume }) => {
    requireAll(faults, at, portworxVolume, ['volumeID'])
  },
  azureDisk: checkAzureDisk,
  storageos: (faults, at, { storageos }) => {
    requireAll(faults, at, storageos, ['volumeName'])
    if (storageos?.volumeName) checkDnsLabel(faults, `${at}.volumeName`, storageos.volumeName)
    const namespace = storageos?.volumeNamespace
    if (namespace) checkDnsLabel(faults, `${at}.volumeNamespace`, namespace)
    if (storageos?.secretRef && !storageos.secretRef.name) faults.required(`${at}.secretRef.name`)
  },
  scaleIO: (faults, at, { scaleIO }) => {
    requireAll(faults, at, scaleIO, ['gateway', 'system', 'volumeName'])
  },
  csi: checkCsi,
}

export function requireAll<S extends object>(
  faults: FieldErrors,
  at: string,
  source: S | undefined,
  fields: readonly (keyof S & string)[],
) {
  for (const field of fields) {
    const value = source?.[field]
    const isMissing = !value || (Array.isArray(value) && value.length === 0)
    if (isMissing) faults.required(`${at}.${field}`)
  }
}

function checkPartition(faults: FieldErrors, at: string, partition = 0) {
  if (partition >= 0 && partition <= 255) return
  faults.invalidAll(at, partition, rangeFaults(-1, 1, 255))
}

const IQN = /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$/
const EUI = /^eui.[a-zA-Z0-9]{16}$/
const NAA = /^naa.[a-zA-Z0-9]{32}$/

function checkIscsi(faults: FieldErrors, at: string, { iscsi }: Volume) {
  if (iscsi === undefined) return
  const { iqn = '', lun = 0, initiatorName } = iscsi
  requireAll(faults, at, iscsi, ['targetPortal', 'iqn'])
  if (iqn) checkInitiator(faults, `${at}.iqn`, iqn)
  faults.invalidAll(`${at}.lun`, lun, rangeFaults(lun, 0, 255))
  const wantsSecret = iscsi.chapAuthDiscovery || iscsi.chapAuthSession
  if (wantsSecret && !iscsi.secretRef) faults.required(`${at}.secretRef`)
  if (initiatorName === undefined) return
  checkInitiator(faults, `${at}.initiatorname`, initiatorName)
}

export const PORTAL_BYTES_MAX = 64

/** Judged even when the volume has another source too. */
export function checkPortalLength(faults: FieldErrors, at: string, { name, iscsi }: Volume) {
  if (iscsi?.initiatorName === undefined) return
  if (Buffer.byteLength(`${name}:${iscsi.targetPortal ?? ''}`) <= PORTAL_BYTES_MAX) return
  const length = 'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters'
  faults.invalid(`${at}.name`, name, `${length} if iscsi.initiatorName is specified.`)
}

function checkInitiator(faults: FieldErrors, at: string, text: string) {
  const fault = initiatorFault(text)
  if (fault !== undefined) faults.invalid(at, text, fault)
}

/** What is wrong with the name of an iSCSI target or initiator; undefined when nothing is. */
export function initiatorFault(text: string): string | undefined {
  const form = new Map([
    ['iqn', IQN],
    ['eui', EUI],
    ['naa', NAA],
  ]).get(text.slice(0, 3))
  if (form === undefined) return 'must be valid format starting with iqn, eui, or naa'
  return form.test(text) ? undefined : 'must be valid format'
}

function checkFlocker(faults: FieldErrors, at: string, { flocker }: Volume) {
  const { datasetName = '', datasetUUID = '' } = flocker ?? {}
  if (!datasetName && !datasetUUID) {
    faults.required(at, 'one of datasetName and datasetUUID is required')
  }
  if (datasetName && datasetUUID) {
    const detail = 'datasetName and datasetUUID can not be specified simultaneously'
    faults.invalid(at, 'resource', detail)
  }
  if (datasetName.includes('/')) {
    faults.invalid(`${at}.datasetName`, datasetName, "must not contain '/'")
  }
}

function checkQuobyte(faults: FieldErrors, at: string, { quobyte }: Volume) {
  const { registry = '', tenant = '' } = quobyte ?? {}
  const detail = 'must be a host:port pair or multiple pairs separated by commas'
  if (!registry) faults.required(`${at}.registry`, detail)
  else if (tenant.length >= 65) {
    faults.required(`${at}.tenant`, 'must be a UUID and may not exceed a length of 64 characters')
  } else {
    for (const pair of registry.split(',')) {
      if (/^(\[[^\]]*\]|[^:[\]]*):[^:]*$/.test(pair)) continue
      faults.invalid(`${at}.registry`, registry, detail)
    }
  }
  requireAll(faults, at, quobyte, ['volume'])
}

function checkFibreChannel(faults: FieldErrors, at: string, { fc }: Volume) {
  const { targetWWNs = [], wwids = [], lun } = fc ?? {}
  if (targetWWNs.length === 0 && wwids.length === 0) {
    const detail = 'must specify either targetWWNs or wwids, but not both'
    faults.required(`${at}.targetWWNs`, detail)
  }
  if (targetWWNs.length === 0) return
  if (wwids.length > 0) {
    const detail = 'targetWWNs and wwids can not be specified simultaneously'
    faults.invalid(`${at}.targetWWNs`, targetWWNs, detail)
  }
  if (lun === undefined) faults.required(`${at}.lun`, 'lun is required if targetWWNs is specified')
  else faults.invalidAll(`${at}.lun`, lun, rangeFaults(lun, 0, 255))
}

function checkFlexVolume(faults: FieldErrors, at: string, { flexVolume }: Volume) {
  requireAll(faults, at, flexVolume, ['driver'])
  for (const option of Object.keys(flexVolume?.options ?? {})) {
    const namespace = `.${option.split('/')[0]!.toLowerCase()}`
    if (!namespace.endsWith('.kubernetes.io') && !namespace.endsWith('.k8s.io')) continue
    const detail = 'kubernetes.io and k8s.io namespaces are reserved'
    faults.invalid(`${at}.options[${option}]`, option, detail)
  }
}

const MANAGED_URI =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'
const BLOB_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'

function checkAzureDisk(faults: FieldErrors, at: string, { azureDisk }: Volume) {
  const { diskURI = '', cachingMode, kind } = azureDisk ?? {}
  requireAll(faults, at, azureDisk, ['diskName', 'diskURI'])
  if (cachingMode !== undefined) {
    checkSupported(faults, `${at}.cachingMode`, cachingMode, ['None', 'ReadOnly', 'ReadWrite'])
  }
  if (kind === undefined) return
  checkSupported(faults, `${at}.kind`, kind, ['Dedicated', 'Managed', 'Shared'])
  const isManaged = kind === 'Managed'
  if (diskURI.startsWith(isManaged ? '/subscriptions/' : 'https://')) return
  faults.notSupported(`${at}.diskURI`, diskURI, [isManaged ? MANAGED_URI : BLOB_URI])
}

const DRIVER_NAME_MAX = 63

function checkCsi(faults: FieldErrors, at: string, { csi }: Volume) {
  const { driver, nodePublishSecretRef } = csi ?? {}
  checkDriverName(faults, `${at}.driver`, driver)
  if (nodePublishSecretRef === undefined) return
  const { name } = nodePublishSecretRef
  if (!name) faults.required(`${at}.nodePublishSecretRef.name`)
  else faults.invalidAll(`${at}.name`, name, isDnsSubdomainName(name, false))
}

export function checkDriverName(faults: FieldErrors, at: string, name: string | undefined) {
  if (!name) return faults.required(at)
  if (name.length > DRIVER_NAME_MAX) faults.tooLong(at, DRIVER_NAME_MAX)
  faults.invalidAll(at, name, dnsSubdomainFaults(name.toLowerCase()))
}
