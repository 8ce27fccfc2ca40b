// Projected volumes: several sources in one folder.

import type {
  KeyToPath,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkFreePath } from '../../validation/paths.ts'
import { checkFileMode } from '../../validation/values.ts'
import { checkDownwardFile, checkKeyToPath } from './volume-files.ts'

const TOKEN_SECONDS_MIN = 600
const TOKEN_SECONDS_MAX = 2 ** 32

export function checkProjected(faults: FieldErrors, at: string, projected: ProjectedVolumeSource) {
  checkFileMode(faults, `${at}.defaultMode`, projected.defaultMode)
  const paths = new Set<string>()
  for (const [index, source] of (projected.sources ?? []).entries()) {
    checkSource(faults, at, `${at}.sources[${index}]`, { source, paths })
  }
}

type Seen = { source: VolumeProjection; paths: Set<string> }

function checkSource(faults: FieldErrors, whole: string, at: string, { source, paths }: Seen) {
  const { secret, configMap, downwardAPI, serviceAccountToken } = source
  const claim = (path: string | undefined, shown: string | undefined) => {
    if (!path) return
    if (paths.has(path)) faults.invalid(whole, shown ?? '', 'conflicting duplicate paths')
    paths.add(path)
  }
  if (secret) checkKeys(faults, `${at}.secret`, secret, claim)
  if (configMap) checkKeys(faults, `${at}.configMap`, configMap, claim)
  for (const file of downwardAPI?.items ?? []) {
    checkDownwardFile(faults, `${at}.downwardAPI`, file)
    claim(file.path, file.path)
  }
  if (serviceAccountToken)
    checkToken(faults, whole, `${at}.serviceAccountToken`, serviceAccountToken)
  const kinds = [secret, configMap, downwardAPI, serviceAccountToken]
  if (kinds.filter((kind) => kind !== undefined).length > 1) {
    faults.forbidden(at, 'may not specify more than 1 volume type per source')
  }
}

type Keys = { name?: string; items?: KeyToPath[] }
type Claim = (path: string | undefined, shown: string | undefined) => void

function checkKeys(faults: FieldErrors, at: string, { name, items }: Keys, claim: Claim) {
  if (!name) faults.required(`${at}.name`)
  for (const [index, item] of (items ?? []).entries()) {
    checkKeyToPath(faults, `${at}.items[${index}]`, item)
    claim(item.path, name)
  }
}

function checkToken(
  faults: FieldErrors,
  whole: string,
  at: string,
  { expirationSeconds = 0, path }: ServiceAccountTokenProjection,
) {
  const field = `${at}.expirationSeconds`
  if (expirationSeconds < TOKEN_SECONDS_MIN) {
    faults.invalid(field, expirationSeconds, 'may not specify a duration less than 10 minutes')
  }
  if (expirationSeconds > TOKEN_SECONDS_MAX) {
    faults.invalid(field, expirationSeconds, 'may not specify a duration larger than 2^32 seconds')
  }
  if (!path) faults.required(`${whole}.path`)
  else checkFreePath(faults, `${whole}.path`, path)
}
