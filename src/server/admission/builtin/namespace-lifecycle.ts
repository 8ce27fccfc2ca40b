// Nothing is made in a namespace that is not there or on its way out, and some may never go.
// (upstream plugin NamespaceLifecycle)

import { namespaces } from '../../../api/kinds/core/namespace/row.ts'
import type { Namespace } from '../../../api/schema/generated/types.ts'
import { ApiError, notFound } from '../../../api/status.ts'
import type { KindCache } from '../../storage/reader.ts'
import { type AdmissionPlugin, type Attributes, refused } from '../chain.ts'

const IMMORTAL = ['default', 'kube-public', 'kube-system']
/** Reviews are answered, not stored: the namespace is only what they ask about. */
const ASKING = ['localsubjectaccessreviews']

export function namespaceLifecycle(cache: KindCache<Namespace>): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    admit(attributes) {
      const { request, operation, namespace, name, subresource } = attributes
      const { row } = request
      if (row.plural === 'namespaces' && row.group === '') {
        const isRemoval = operation === 'DELETE' && subresource === ''
        if (isRemoval && IMMORTAL.includes(name)) {
          throw refused(attributes, 'this namespace may not be deleted')
        }
        return
      }
      if (operation !== 'CREATE' || namespace === '' || ASKING.includes(row.plural)) return
      const standing = cache.get({ name: namespace })
      if (standing === undefined) throw notFound(namespaces, namespace)
      if (standing.metadata.deletionTimestamp !== undefined) throw terminating(attributes)
    },
  }
}

function terminating(attributes: Attributes): ApiError {
  const { namespace } = attributes
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const error = refused(attributes, why)
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  return new ApiError(403, 'Forbidden', error.message, { ...error.details, causes: [cause] })
}
