import { defineResource } from '../../../resource.ts'
import type { CustomResourceDefinition } from '../../../schema/generated/types.ts'
import { createdAtColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { definitionWarnings } from './formats.ts'
import { applyDefaults, noteStoredVersion } from './strategy.ts'
import { checkDefinition, checkStatusNames } from './validation.ts'

/** `customresourcedefinitions`: kinds that are added while the server runs; see `api/custom`. */
export const customResourceDefinitions = defineResource<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  type: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  scope: 'Cluster',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  // Its own has no domain.
  freeFinalizers: true,
  defaults: applyDefaults,
  prepareCreate: noteStoredVersion,
  prepareUpdate: noteStoredVersion,
  rules: [ruleOf(checkDefinition)],
  warnings: definitionWarnings,
  status: {
    writes: ['metadata', 'status'],
    rules: [ruleOf(checkStatusNames)],
    resets: ['spec'],
  },
  unconditionalUpdate: false,
  answersDeleted: true,
  columns: [createdAtColumn],
})
