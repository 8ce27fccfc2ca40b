// What a VolumeAttachment must be, and that it stays as it is (pkg/apis/storage/validation).

import { isDnsSubdomainName, rangeFaults } from '../../../names.ts'
import { internalForm } from '../../../pod/internal-form.ts'
import type {
  VolumeAttachment,
  VolumeAttachmentSource,
  VolumeError,
} from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { IMMUTABLE } from '../../../validation/values.ts'
import { checkDriverName } from '../../../volume/remote-sources.ts'
import { checkInlineVolumeSpec } from '../../../volume/volume-spec.ts'

const METADATA_BYTES_MAX = 256 * 1024
const MESSAGE_BYTES_MAX = 1024
const INT32_MAX = 2_147_483_647

export function checkAttachment(
  faults: FieldErrors,
  { spec, status }: VolumeAttachment,
  old: VolumeAttachment | undefined,
) {
  checkDriverName(faults, 'spec.attacher', spec.attacher)
  checkSource(faults, 'spec.source', spec.source ?? {})
  const { nodeName = '' } = spec
  faults.invalidAll('spec.nodeName', nodeName, isDnsSubdomainName(nodeName, false))
  const metadata = Object.entries(status?.attachmentMetadata ?? {})
  const bytes = metadata.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0)
  if (bytes > METADATA_BYTES_MAX) {
    faults.tooLong('status.attachmentMetadata', METADATA_BYTES_MAX)
  }
  checkError(faults, 'status.attachError', status?.attachError)
  checkError(faults, 'status.detachError', status?.detachError)
  const name = spec.source?.persistentVolumeName
  if (name !== undefined) {
    faults.invalidAll('spec.source.persistentVolumeName', name, isDnsSubdomainName(name, false))
  }
  if (old === undefined || Bun.deepEquals(spec, old.spec)) return
  faults.invalid('spec', internalForm('VolumeAttachmentSpec', spec), IMMUTABLE)
}

function checkSource(faults: FieldErrors, at: string, source: VolumeAttachmentSource) {
  const { persistentVolumeName, inlineVolumeSpec } = source
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
  if (inlineVolumeSpec && persistentVolumeName !== undefined) faults.forbidden(at, one)
  else if (inlineVolumeSpec) {
    checkInlineVolumeSpec(faults, `${at}.inlineVolumeSpec`, inlineVolumeSpec)
  } else if (persistentVolumeName === undefined) faults.required(at, one)
  else if (persistentVolumeName === '') {
    const detail = 'must specify non empty persistentVolumeName'
    faults.required(`${at}.persistentVolumeName`, detail)
  }
}

function checkError(faults: FieldErrors, at: string, error: VolumeError | undefined) {
  if (Buffer.byteLength(error?.message ?? '') > MESSAGE_BYTES_MAX) {
    // Upstream names the limit of another field.
    faults.tooLong(`${at}.message`, METADATA_BYTES_MAX)
  }
  const code = error?.errorCode
  if (code === undefined || code >= 0) return
  faults.invalidAll(`${at}.errorCode`, code, rangeFaults(code, 0, INT32_MAX))
}
