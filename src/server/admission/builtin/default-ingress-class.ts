// The class of Ingresses that name none. (upstream plugin DefaultIngressClass)

import { ingresses } from '../../../api/kinds/networking/ingress/row.ts'
import { OLD_CLASS } from '../../../api/kinds/networking/ingress/validation.ts'
import { IS_DEFAULT } from '../../../api/kinds/networking/ingressclass/row.ts'
import type { Ingress, IngressClass } from '../../../api/schema/generated/types.ts'
import type { KindCache } from '../../storage/reader.ts'
import type { AdmissionPlugin } from '../chain.ts'

export function defaultIngressClass(classes: KindCache<IngressClass>): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    handles: ['CREATE'],
    admit({ request, subresource, object }) {
      if (request.row !== ingresses || subresource !== '') return
      const { metadata, spec } = object as unknown as Ingress
      const isSaid = metadata.annotations?.[OLD_CLASS] !== undefined
      if (isSaid || spec.ingressClassName !== undefined) return
      const name = newestDefault(classes.values())
      if (name !== undefined) spec.ingressClassName = name
    },
  }
}

/** Of several the newest; of those of one moment the first by name. */
export function newestDefault(classes: Iterable<IngressClass>): string | undefined {
  const marked = [...classes].filter(
    ({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true',
  )
  return marked.toSorted(byAgeAndName)[0]?.metadata.name
}

function byAgeAndName({ metadata: a }: IngressClass, { metadata: b }: IngressClass): number {
  const [bornA = '', bornB = ''] = [a.creationTimestamp, b.creationTimestamp]
  if (bornA !== bornB) return bornA > bornB ? -1 : 1
  return (a.name ?? '') < (b.name ?? '') ? -1 : 1
}
