// References to objects of any kind, by kind, name and version.

import { isPathSegmentName } from '../../../names.ts'
import type { CrossVersionObjectReference } from '../../../schema/generated/types.ts'
import type { FieldErrors } from '../../../validation/field-errors.ts'

/** What of an apiVersion is forgiven. */
export type Reference = { readonly mayBeOfCore: boolean; readonly mayBeAnything: boolean }

export function checkReference(
  faults: FieldErrors,
  at: string,
  reference: CrossVersionObjectReference,
  forgiven: Reference,
) {
  for (const field of ['kind', 'name'] as const) {
    const value = reference[field]
    if (!value) faults.required(`${at}.${field}`)
    else faults.invalidAll(`${at}.${field}`, value, isPathSegmentName(value, false))
  }
  const fault = versionFault(reference, forgiven)
  if (fault !== undefined) faults.invalid(`${at}.apiVersion`, reference.apiVersion ?? '', fault)
}

export function versionFault(
  { apiVersion = '' }: CrossVersionObjectReference,
  { mayBeOfCore, mayBeAnything }: Reference,
): string | undefined {
  if (mayBeAnything) return undefined
  const parts = apiVersion.split('/')
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`
  const group = parts.length === 2 ? parts[0] : ''
  return group === '' && !mayBeOfCore ? 'apiVersion must specify API group' : undefined
}
