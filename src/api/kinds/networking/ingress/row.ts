// Ways into the cluster by host and path, for whichever controller has the class.

import { defineResource } from '../../../resource.ts'
import type { Ingress } from '../../../schema/generated/types.ts'
import { ipWarnings } from '../../../validation/addresses.ts'
import { ruleOf } from '../../../validation/field-errors.ts'
import { ingressColumns } from './columns.ts'
import { checkIngress, checkIngressStatus, OLD_CLASS } from './validation.ts'

export const ingresses = defineResource<Ingress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  singular: 'ingress',
  type: 'io.k8s.api.networking.v1.Ingress',
  storagePrefix: 'ingress',
  shortNames: ['ing'],
  rules: [ruleOf(checkIngress)],
  warnings: classWarnings,
  status: {
    writes: ['metadata', 'status'],
    rules: [ruleOf(checkIngressStatus)],
    warnings: addressWarnings,
  },
  columns: ingressColumns,
})

function classWarnings({ metadata, spec }: Ingress, old: Ingress | undefined): string[] {
  const isOld = metadata.annotations?.[OLD_CLASS] !== undefined
  if (old !== undefined || !isOld || spec.ingressClassName !== undefined) return []
  return [`annotation "${OLD_CLASS}" is deprecated, please use 'spec.ingressClassName' instead`]
}

function addressWarnings({ status }: Ingress): string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) =>
    ip ? ipWarnings(`status.loadBalancer.ingress[${index}]`, ip) : [],
  )
}
