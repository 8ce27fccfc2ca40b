// What a Secret must be (pkg/apis/core/validation).

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { own } from '../../../../lib/own.ts'
import { JsonSyntaxError, parseJson, plainJson } from '../../../codec/json.ts'
import { configKeyFaults } from '../../../names.ts'
import type { Secret } from '../../../schema/generated/types.ts'
import { checkFrozen, DATA_BYTES_MAX, decodedBytes } from '../../../validation/data.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'
import { checkImmutable } from '../../../validation/values.ts'

const ACCOUNT_NAME = 'kubernetes.io/service-account.name'

/** Text that was sent is written as data, and the text itself is never stored. */
export function mergeStringData(secret: Secret) {
  const added = Object.entries(secret.stringData ?? {}).map(
    ([key, text]) => [key, Buffer.from(text).toString('base64')] as const,
  )
  if (added.length > 0) secret.data = { ...secret.data, ...Object.fromEntries(added) }
  delete secret.stringData
}

export function checkSecret(faults: FieldErrors, secret: Secret, old: Secret | undefined) {
  if (old) {
    checkImmutable(faults, 'type', secret.type ?? '', old.type ?? '')
    checkFrozen(faults, secret, old, ['data'])
  }
  let bytes = 0
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    faults.invalidAll(`data[${key}]`, key, configKeyFaults(key))
    bytes += decodedBytes(value)
  }
  if (bytes > DATA_BYTES_MAX) faults.tooLong('data', DATA_BYTES_MAX)
  checkByType(faults, secret)
}

function checkByType(faults: FieldErrors, { type, metadata, data = {} }: Secret) {
  switch (type) {
    case 'kubernetes.io/service-account-token':
      if (metadata.annotations?.[ACCOUNT_NAME]) return
      return faults.required(`metadata.annotations[${ACCOUNT_NAME}]`)
    case 'kubernetes.io/dockercfg':
      return checkJson(faults, '.dockercfg', data)
    case 'kubernetes.io/dockerconfigjson':
      return checkJson(faults, '.dockerconfigjson', data)
    case 'kubernetes.io/basic-auth':
      if ('username' in data || 'password' in data) return
      faults.required('data[username]')
      return faults.required('data[password]')
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) faults.required('data[ssh-privatekey]')
      return
    case 'kubernetes.io/tls':
      for (const key of ['tls.crt', 'tls.key']) {
        if (!(key in data)) faults.required(`data[${key}]`)
      }
      return
    default:
      return
  }
}

function checkJson(faults: FieldErrors, key: string, data: Readonly<Record<string, string>>) {
  const value = own(data, key)
  const at = `data[${key}]`
  if (value === undefined) return faults.required(at)
  const text = Buffer.from(value, 'base64').toString()
  const fault = jsonFault(text)
  if (fault !== undefined) faults.invalid(at, '<secret contents redacted>', fault)
}

/** In Go's words. */
function jsonFault(text: string): string | undefined {
  let parsed: unknown
  try {
    parsed = plainJson(parseJson(text))
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error.message
    throw error
  }
  const isObject = typeof parsed === 'object' && !Array.isArray(parsed)
  if (isObject) return undefined
  const kind = Array.isArray(parsed)
    ? 'array'
    : typeof parsed === 'boolean'
      ? 'bool'
      : typeof parsed
  return `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`
}

/** A key that does not belong to its certificate. */
export function secretWarnings({ type, data = {} }: Secret): string[] {
  if (type !== 'kubernetes.io/tls') return []
  const textOf = (key: string) => Buffer.from(own(data, key) ?? '', 'base64').toString()
  const fault = keyPairFault(textOf('tls.crt'), textOf('tls.key'))
  return fault === undefined ? [] : [fault]
}

function keyPairFault(certificate: string, key: string): string | undefined {
  if (!certificate.includes('-----BEGIN CERTIFICATE-----')) {
    return 'tls: failed to find any PEM data in certificate input'
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
    return 'tls: failed to find any PEM data in key input'
  }
  try {
    const matches = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
    return matches ? undefined : 'tls: private key does not match public key'
  } catch (error) {
    return `tls: ${(error as Error).message}`
  }
}
