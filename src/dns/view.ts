// The view that answers are made from: informers with indexes. Nothing is copied or rebuilt.

import { namespaces } from '../api/kinds/core/namespace/row.ts'
import { services } from '../api/kinds/core/service/row.ts'
import { endpointSlices } from '../api/kinds/discovery/endpointslice/row.ts'
import type { EndpointSlice, Service } from '../api/schema/generated/types.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import type { DnsView } from './answer.ts'

const BY_IP = 'dns/ip'
const BY_SERVICE = 'dns/service'

/** Adds the indexes it needs; complete once the informers have synced. */
export function createView(informers: InformerSet, signal: AbortSignal): DnsView {
  const serviceInformer = informers.of<Service>(services)
  const sliceInformer = informers.of<EndpointSlice>(endpointSlices)
  const namespaceInformer = informers.metadataOf(namespaces)
  serviceInformer.addIndex(BY_IP, ({ spec }) => spec?.clusterIPs ?? [])
  sliceInformer.addIndex(BY_IP, ({ endpoints }) =>
    (endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
  )
  sliceInformer.addIndex(BY_SERVICE, ({ metadata }) => {
    const service = metadata.labels?.['kubernetes.io/service-name']
    return service === undefined ? [] : [`${metadata.namespace}/${service}`]
  })
  const all = [serviceInformer, sliceInformer, namespaceInformer]
  let isComplete = false
  const synced = all.map((informer) => informer.synced(signal))
  Promise.all(synced).then(
    () => {
      isComplete = true
    },
    () => {}, // The end came first.
  )
  const { lister: ofServices } = serviceInformer
  const { lister: ofSlices } = sliceInformer
  return {
    get isComplete() {
      return isComplete
    },
    service: (namespace, name) => ofServices.get(`${namespace}/${name}`),
    slices: (namespace, name) => ofSlices.by(BY_SERVICE, `${namespace}/${name}`),
    // A server of an earlier version does not tell nodes of namespaces: those with Services show.
    hasNamespace: (name) =>
      namespaceInformer.lister.get(name) !== undefined || ofServices.inNamespace(name).length > 0,
    serviceByIp: (ip) => (ip === 'None' ? undefined : ofServices.by(BY_IP, ip)[0]),
    slicesByIp: (ip) => ofSlices.by(BY_IP, ip),
  }
}
