// Keeps the ServiceAccount "default" in every namespace that is not going away.

import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import { serviceAccounts } from '../../api/kinds/core/serviceaccount/row.ts'
import type { Namespace } from '../../api/schema/generated/types.ts'
import { isAlreadyExists } from '../../api/status.ts'
import { defineController, watching } from '../../kit/controller.ts'
import { isNamespaceTerminating } from '../failures.ts'

const NAME = 'default'

export const serviceAccountController = defineController<Namespace>({
  name: 'service-account-controller',
  reconciles: namespaces,
  workers: 1,
  watches: [
    watching(serviceAccounts, ({ metadata }) =>
      metadata.name === NAME ? [metadata.namespace ?? ''] : [],
    ),
  ],

  async reconcile({ metadata, status }, { list, writer }, signal) {
    const { name: namespace = '' } = metadata
    if (metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating') return
    if (list(serviceAccounts).get(`${namespace}/${NAME}`) !== undefined) return
    try {
      await writer.create(serviceAccounts, { metadata: { namespace, name: NAME } }, signal)
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error
    }
  },
})
