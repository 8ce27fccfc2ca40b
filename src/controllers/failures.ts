// What controllers ask of errors.

import { ApiError } from '../api/status.ts'

/** In a namespace that is going, nothing can be made and nothing needs to be said. */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  return error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
