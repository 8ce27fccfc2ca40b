// Publishes the certificate authority of the API in every namespace, and repairs what was changed.

import { configMaps } from '../../api/kinds/core/configmap/row.ts'
import { namespaces } from '../../api/kinds/core/namespace/row.ts'
import type { ConfigMap, Namespace } from '../../api/schema/generated/types.ts'
import { isAlreadyExists } from '../../api/status.ts'
import { type Controller, defineController, watching } from '../../kit/controller.ts'
import { isNamespaceTerminating } from '../failures.ts'

const NAME = 'kube-root-ca.crt'
const DESCRIPTION = 'kubernetes.io/description'
const TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal ' +
  'endpoints such as the internal service IP or kubernetes.default.svc. No other usage is ' +
  'guaranteed across distributions of Kubernetes clusters.'

/** `rootCa` gives the PEM of the authorities that may have signed the server's certificate. */
export function rootCaController(rootCa: () => string): Controller<Namespace> {
  return defineController<Namespace>({
    name: 'root-ca-cert-publisher',
    reconciles: namespaces,
    workers: 1,
    only: [{ row: configMaps, selection: { fieldSelector: `metadata.name=${NAME}` } }],
    watches: [watching(configMaps, ({ metadata }) => [metadata.namespace ?? ''])],

    async reconcile({ metadata, status }, { list, writer }, signal) {
      const { name: namespace = '' } = metadata
      if (metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating') return
      const found = list(configMaps).get(`${namespace}/${NAME}`)
      if (found !== undefined) {
        await writer.change(configMaps, found, (draft) => publish(draft, rootCa()), signal)
        return
      }
      const draft: ConfigMap = { metadata: { namespace, name: NAME } }
      publish(draft, rootCa())
      try {
        await writer.create(configMaps, draft, signal)
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error
      }
    },
  })
}

function publish(map: ConfigMap, rootCa: string): void {
  map.data = { 'ca.crt': rootCa }
  if (!map.metadata.annotations?.[DESCRIPTION]) {
    map.metadata.annotations = { ...map.metadata.annotations, [DESCRIPTION]: TEXT }
  }
}
