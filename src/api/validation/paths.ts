// Paths inside volumes and images: nothing may climb out of them.

import type { FieldErrors } from './field-errors.ts'

export function checkNoBacksteps(faults: FieldErrors, at: string, path: string) {
  if (hasBackstep(path)) faults.invalid(at, path, "must not contain '..'")
}

export function hasBackstep(path: string): boolean {
  return path.split('/').includes('..')
}

/** Relative, and below where it starts. */
export function checkDescendingPath(faults: FieldErrors, at: string, path: string) {
  if (path.startsWith('/')) faults.invalid(at, path, 'must be a relative path')
  checkNoBacksteps(faults, at, path)
}

/** As checkDescendingPath; names with two dots in front are the volume's own. */
export function checkFreePath(faults: FieldErrors, at: string, path: string) {
  checkDescendingPath(faults, at, path)
  if (path.startsWith('..') && !path.startsWith('../')) {
    faults.invalid(at, path, "must not start with '..'")
  }
}
