import { defineResource } from '../../../resource.ts'
import type { Binding } from '../../../schema/generated/types.ts'
import { ruleOf } from '../../../validation/field-errors.ts'

/** Says where a pod is to run; posted here or to pods/binding, and never stored. */
export const bindings = defineResource<Binding>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  type: 'io.k8s.api.core.v1.Binding',
  verbs: ['create'],
  generationOf: false,
  rules: [
    ruleOf((faults, { target }) => {
      const { kind, name } = target ?? {}
      if (kind && kind !== 'Node') faults.notSupported('target.kind', kind, ['Node', '<empty>'])
      if (!name) faults.required('target.name')
    }),
  ],
})
