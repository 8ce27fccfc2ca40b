// Whether an update counted.

import type { KubeObject } from '../object.ts'

/** Upstream warns only of updates that raised the generation. */
export function hasChanged(object: KubeObject, old: KubeObject): boolean {
  return object.metadata.generation !== old.metadata.generation
}
