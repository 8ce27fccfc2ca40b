// Who looks after Ingresses of a class.

import { defineResource } from '../../../resource.ts'
import type { IngressClass } from '../../../schema/generated/types.ts'
import { ageColumn } from '../../../table/cells.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { textColumn } from '../../../workload/columns.ts'
import { checkIngressClass } from './validation.ts'

/** "true" makes a class that of Ingresses which name none. */
export const IS_DEFAULT = 'ingressclass.kubernetes.io/is-default-class'

export const ingressClasses = defineResource<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  singular: 'ingressclass',
  type: 'io.k8s.api.networking.v1.IngressClass',
  scope: 'Cluster',
  defaults: ({ spec }) => {
    if (spec.parameters !== undefined) spec.parameters.scope ??= 'Cluster'
  },
  rules: [ruleOf(checkIngressClass)],
  startsWithName: false,
  columns: [
    {
      ...textColumn<IngressClass>('Name', 0, 'The name, and whether it is the default.', shownName),
      format: 'name',
    },
    textColumn('Controller', 0, 'The controller that takes Ingresses of this class.', (one) => {
      return one.spec.controller ?? ''
    }),
    textColumn('Parameters', 0, 'An object with more settings for the controller.', parametersOf),
    ageColumn,
  ],
})

function shownName({ metadata }: IngressClass): string {
  const isDefault = metadata.annotations?.[IS_DEFAULT] === 'true'
  return `${metadata.name}${isDefault ? ' (default)' : ''}`
}

function parametersOf({ spec: { parameters } }: IngressClass): string {
  if (parameters === undefined) return '<none>'
  const { kind, apiGroup, name } = parameters
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`
}
