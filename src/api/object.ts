// What all objects have in common.

import type { ListMeta, ObjectMeta } from './schema/generated/types.ts'

/** Any object of the API. Kinds have types of their own in generated/types.ts. */
export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
}

/** An object whose fields are known only by its row. */
export type AnyObject = KubeObject & { [field: string]: unknown }

/** namespace/name, or the name alone for a cluster-scoped object. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : `${name}`
}

/** The owner reference that has `controller: true`. */
export function controllerOf(object: KubeObject) {
  return object.metadata.ownerReferences?.find((owner) => owner.controller)
}

/** A list of any kind, as the API answers it. */
export interface KubeList<T> {
  apiVersion?: string
  kind?: string
  metadata: ListMeta
  items: T[]
}
