// Environment variables and where their values come from.

import { configKeyFaults, environmentNameFaults, isDnsSubdomainName } from '../../names.ts'
import { compareQuantity, parseQuantity, ZERO } from '../../quantity.ts'
import type {
  Container,
  EnvVar,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../../schema/generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkNoBacksteps } from '../../validation/paths.ts'
import { checkDnsLabel, checkQualifiedName } from '../../validation/values.ts'

const ENV_FIELDS = [
  ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName'],
  ...['spec.serviceAccountName', 'status.hostIP', 'status.hostIPs', 'status.podIP'],
  'status.podIPs',
]
const KNOWN_FIELDS = new Set([
  ...ENV_FIELDS,
  ...['metadata.annotations', 'metadata.labels', 'spec.restartPolicy', 'spec.schedulerName'],
  ...['status.phase', 'spec.host'],
])
const SUBSCRIPT = /^(.+?)\['(.*)'\]$/s

export function checkEnv(faults: FieldErrors, at: string, { env, envFrom }: Container) {
  for (const [index, variable] of (env ?? []).entries()) {
    const path = `${at}.env[${index}]`
    if (!variable.name) faults.required(`${path}.name`)
    else faults.invalidAll(`${path}.name`, variable.name, environmentNameFaults(variable.name))
    checkValueFrom(faults, `${path}.valueFrom`, variable)
  }
  for (const [index, { prefix, configMapRef, secretRef }] of (envFrom ?? []).entries()) {
    const path = `${at}.envFrom[${index}]`
    if (prefix) faults.invalidAll(`${path}.prefix`, prefix, environmentNameFaults(prefix))
    const sources = { configMapRef, secretRef }
    for (const [kind, source] of Object.entries(sources)) {
      if (source === undefined) continue
      const { name } = source
      if (!name) faults.required(`${path}.${kind}.name`)
      else faults.invalidAll(`${path}.${kind}.name`, name, isDnsSubdomainName(name, true))
    }
    const count = Object.values(sources).filter((source) => source !== undefined).length
    if (count === 0) {
      faults.invalid(`${at}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`')
    } else if (count > 1) {
      faults.invalid(`${at}.envFrom`, '', 'may not have more than one field specified at a time')
    }
  }
}

const SOURCES = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'

function checkValueFrom(faults: FieldErrors, at: string, { value, valueFrom }: EnvVar) {
  if (valueFrom === undefined) return
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom
  if (fieldRef) checkFieldRef(faults, `${at}.fieldRef`, fieldRef, ENV_FIELDS)
  if (resourceFieldRef) {
    checkResourceFieldRef(faults, `${at}.resourceFieldRef`, resourceFieldRef, false)
  }
  if (configMapKeyRef) checkKeyRef(faults, `${at}.configMapKeyRef`, configMapKeyRef)
  if (secretKeyRef) checkKeyRef(faults, `${at}.secretKeyRef`, secretKeyRef)
  if (fileKeyRef) checkFileKeyRef(faults, `${at}.fileKeyRef`, fileKeyRef)
  const all = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef]
  const count = all.filter((source) => source !== undefined).length
  if (count === 0) faults.invalid(at, '', `must specify one of: ${SOURCES}`)
  else if (value) faults.invalid(at, '', 'may not be specified when `value` is not empty')
  else if (count > 1) {
    faults.invalid(at, '', 'may not have more than one field specified at a time')
  }
}

/** `supported` are the fields that may stand here without a subscript. */
export function checkFieldRef(
  faults: FieldErrors,
  at: string,
  { apiVersion, fieldPath }: ObjectFieldSelector,
  supported: readonly string[],
) {
  if (!apiVersion) return faults.required(`${at}.apiVersion`)
  if (!fieldPath) return faults.required(`${at}.fieldPath`)
  const fault = conversionFault(apiVersion, fieldPath)
  if (fault !== undefined) {
    return faults.invalid(`${at}.fieldPath`, fieldPath, `error converting fieldPath: ${fault}`)
  }
  const subscripted = SUBSCRIPT.exec(fieldPath)
  if (subscripted !== null) {
    const isAnnotation = subscripted[1] === 'metadata.annotations'
    const key = subscripted[2]!
    return checkQualifiedName(faults, at, isAnnotation ? key.toLowerCase() : key)
  }
  const path = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath
  if (!supported.includes(path)) {
    faults.notSupported(`${at}.fieldPath`, path, supported.toSorted())
  }
}

function conversionFault(version: string, path: string): string | undefined {
  if (version !== 'v1') return `unsupported pod version: ${version}`
  const subscripted = SUBSCRIPT.exec(path)
  if (subscripted !== null) {
    const isMap = ['metadata.annotations', 'metadata.labels'].includes(subscripted[1]!)
    return isMap ? undefined : `field label does not support subscript: ${path}`
  }
  return KNOWN_FIELDS.has(path) ? undefined : `field label not supported: ${path}`
}

const RESOURCE_FIELDS = [
  ...['limits.cpu', 'limits.ephemeral-storage', 'limits.memory'],
  ...['requests.cpu', 'requests.ephemeral-storage', 'requests.memory'],
]
const HUGE_PAGES = /^(requests|limits)\.hugepages-/

export function checkResourceFieldRef(
  faults: FieldErrors,
  at: string,
  { containerName, resource = '', divisor }: ResourceFieldSelector,
  isInVolume: boolean,
) {
  if (isInVolume && !containerName) faults.required(`${at}.containerName`)
  else if (!resource) faults.required(`${at}.resource`)
  else if (!RESOURCE_FIELDS.includes(resource) && !HUGE_PAGES.test(resource)) {
    faults.notSupported(`${at}.resource`, resource, RESOURCE_FIELDS)
  }
  const known = divisorsOf(resource)
  if (known === undefined || divisor === undefined) return
  const isUnset = compareQuantity(parseQuantity(divisor), ZERO) === 0
  if (isUnset || known.divisors.includes(divisor)) return
  const list =
    known.divisors.length === 2 ? known.divisors.join(' and ') : known.divisors.join(', ')
  const detail = `only divisor's values ${list} are supported with the ${known.name} resource`
  faults.invalid(`${at}.divisor`, resource, detail)
}

const CPU_DIVISORS = ['1m', '1']
const BYTE_DIVISORS = [
  ...['1', '1k', '1M', '1G', '1T', '1P', '1E'],
  ...['1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'],
]

function divisorsOf(resource: string) {
  if (HUGE_PAGES.test(resource)) return { name: 'hugepages', divisors: BYTE_DIVISORS }
  switch (resource.split('.')[1]) {
    case 'cpu':
      return { name: 'cpu', divisors: CPU_DIVISORS }
    case 'memory':
      return { name: 'memory', divisors: BYTE_DIVISORS }
    case 'ephemeral-storage':
      return { name: 'local ephemeral storage', divisors: BYTE_DIVISORS }
    default:
      return undefined
  }
}

type KeyRef = { name?: string; key: string }

function checkKeyRef(faults: FieldErrors, at: string, { name = '', key }: KeyRef) {
  faults.invalidAll(`${at}.name`, name, isDnsSubdomainName(name, false))
  if (!key) faults.required(`${at}.key`)
  else faults.invalidAll(`${at}.key`, key, configKeyFaults(key))
}

type FileKeyRef = { key: string; volumeName: string; path: string }

function checkFileKeyRef(faults: FieldErrors, at: string, { key, volumeName, path }: FileKeyRef) {
  if (!key) faults.required(`${at}.key`)
  else faults.invalidAll(`${at}.key`, key, environmentNameFaults(key))
  if (!volumeName) faults.required(`${at}.volumeName`)
  else checkDnsLabel(faults, `${at}.volumeName`, volumeName)
  if (!path) faults.required(`${at}.path`)
  else checkNoBacksteps(faults, `${at}.path`, path)
}
