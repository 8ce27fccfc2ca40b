// A definition as upstream judges it: what all versions say alike is said once, of the whole.

import type { Props } from '../../../custom/schema.ts'
import { equalJson } from '../../../patch/value.ts'
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  SelectableField,
} from '../../../schema/generated/types.ts'

export type Internal = {
  /** Undefined when versions differ, or have none. */
  readonly schema: Props | undefined
  readonly subresources: CustomResourceSubresources | undefined
  readonly columns: readonly CustomResourceColumnDefinition[]
  readonly selectableFields: readonly SelectableField[]
  /** Without what is said of the whole. */
  readonly versions: readonly CustomResourceDefinitionVersion[]
}

export function internalOf(spec: CustomResourceDefinitionSpec): Internal {
  // Null when nothing was said.
  const versions = spec.versions ?? []
  const shared = <K extends keyof CustomResourceDefinitionVersion>(field: K) => {
    const value = versions[0]?.[field]
    const isShared = versions.every((version) => equalJson(version[field] ?? null, value ?? null))
    return { isShared, value: isShared ? value : undefined }
  }
  const schema = shared('schema')
  const subresources = shared('subresources')
  const columns = shared('additionalPrinterColumns')
  const selectable = shared('selectableFields')
  return {
    schema: schema.value?.openAPIV3Schema,
    subresources: subresources.value,
    columns: columns.value ?? [],
    selectableFields: selectable.value ?? [],
    versions: versions.map((version) => {
      const own = { ...version }
      if (schema.isShared) delete own.schema
      if (subresources.isShared) delete own.subresources
      if (columns.isShared) delete own.additionalPrinterColumns
      if (selectable.isShared) delete own.selectableFields
      return own
    }),
  }
}
