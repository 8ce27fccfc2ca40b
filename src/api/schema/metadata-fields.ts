// What every object begins with, as fields: kind, apiVersion, metadata.

import { type Field, objectType } from './schema.ts'

const SHARED = ['kind', 'apiVersion', 'metadata']

/** As any built-in kind has them. */
export function configMapMetadataFields(): [string, Field][] {
  const { fields } = objectType('io.k8s.api.core.v1.ConfigMap')
  return SHARED.map((name) => [name, fields.get(name)!])
}
