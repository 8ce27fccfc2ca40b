// Checks of single values, for many kinds.

import {
  dnsLabelFaults,
  dnsSubdomainFaults,
  portNameFaults,
  portNumberFaults,
  qualifiedNameFaults,
} from '../names.ts'
import type { FieldErrors } from './field-errors.ts'

export const IMMUTABLE = 'field is immutable'
export const NOT_NEGATIVE = 'must be greater than or equal to 0'

export function checkNonNegative(faults: FieldErrors, at: string, value: number | undefined) {
  if ((value ?? 0) < 0) faults.invalid(at, value, NOT_NEGATIVE)
}

export function checkPositive(faults: FieldErrors, at: string, value: number | undefined) {
  if ((value ?? 0) <= 0) faults.invalid(at, value ?? 0, 'must be greater than zero')
}

/** `value` is one of `supported`, which is listed in the order given; `''` counts as missing. */
export function checkOneOf(
  faults: FieldErrors,
  at: string,
  value: string | undefined,
  supported: readonly string[],
) {
  if (!value) faults.required(at)
  else if (!supported.includes(value)) faults.notSupported(at, value, supported)
}

/** As checkOneOf, but a missing value is not supported rather than required. */
export function checkSupported(
  faults: FieldErrors,
  at: string,
  value: string | undefined,
  supported: readonly string[],
) {
  if (!supported.includes(value ?? '')) faults.notSupported(at, value ?? '', supported)
}

export function checkImmutable(faults: FieldErrors, at: string, value: unknown, old: unknown) {
  if (!sameValue(value, old)) faults.invalid(at, value, IMMUTABLE)
}

/** Equal as Go's semantic comparison has it: what is missing equals what is empty. */
export function sameValue(a: unknown, b: unknown): boolean {
  return Bun.deepEquals(emptyAsMissing(a), emptyAsMissing(b))
}

function emptyAsMissing(value: unknown): unknown {
  if (value === null || value === '' || value === 0 || value === false) return undefined
  return Array.isArray(value) && value.length === 0 ? undefined : value
}

export function checkDnsLabel(faults: FieldErrors, at: string, value: string) {
  faults.invalidAll(at, value, dnsLabelFaults(value))
}

export function checkDnsSubdomain(faults: FieldErrors, at: string, value: string) {
  faults.invalidAll(at, value, dnsSubdomainFaults(value))
}

export function checkQualifiedName(faults: FieldErrors, at: string, value: string) {
  faults.invalidAll(at, value, qualifiedNameFaults(value))
}

export function checkPort(faults: FieldErrors, at: string, port: number | undefined) {
  faults.invalidAll(at, port ?? 0, portNumberFaults(port ?? 0))
}

/** A number of a port, or the name that a container gives it. */
export function checkPortOrName(
  faults: FieldErrors,
  at: string,
  port: number | string | undefined,
) {
  if (typeof port === 'string') faults.invalidAll(at, port, portNameFaults(port))
  else checkPort(faults, at, port)
}

const FILE_MODE_MAX = 0o777

export function checkFileMode(faults: FieldErrors, at: string, mode: number | undefined) {
  if (mode === undefined || (mode >= 0 && mode <= FILE_MODE_MAX)) return
  faults.invalid(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive')
}
