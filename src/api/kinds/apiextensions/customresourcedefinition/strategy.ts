import type { CustomResourceDefinition } from '../../../schema/generated/types.ts'

const HTTPS = 443

export function applyDefaults(definition: CustomResourceDefinition) {
  const { spec } = definition
  spec.names.singular ||= spec.names.kind.toLowerCase()
  if (spec.names.kind !== '') spec.names.listKind ||= `${spec.names.kind}List`
  if (spec.names.singular === '') delete spec.names.singular
  spec.conversion ??= { strategy: 'None' }
  const service = spec.conversion.webhook?.clientConfig?.service
  if (service !== undefined) service.port ??= HTTPS
}

/** Objects may be stored in the version that is the one to store from now on. */
export function noteStoredVersion(definition: CustomResourceDefinition) {
  const stored = definition.spec.versions?.find(({ storage }) => storage)
  if (stored === undefined) return
  definition.status ??= {}
  const known = definition.status.storedVersions ?? []
  if (!known.includes(stored.name)) definition.status.storedVersions = [...known, stored.name]
}
