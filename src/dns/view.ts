// The view that answers are made from: informers with indexes. Nothing is copied or rebuilt.

import { services } from '../api/kinds/core/service/row.ts'
import { endpointSlices } from '../api/kinds/discovery/endpointslice/row.ts'
import type { EndpointSlice, Service } from '../api/schema/generated/types.ts'
import type { InformerSet } from '../kit/informer-set.ts'
import type { DnsView } from './answer.ts'

const BY_IP = 'dns/ip'
const BY_SERVICE = 'dns/service'

/** Adds the indexes it needs; answers are empty until the informers have synced. */
export function createView(informers: InformerSet): DnsView {
  const serviceInformer = informers.of<Service>(services)
  const sliceInformer = informers.of<EndpointSlice>(endpointSlices)
  serviceInformer.addIndex(BY_IP, ({ spec }) => spec?.clusterIPs ?? [])
  sliceInformer.addIndex(BY_IP, ({ endpoints }) =>
    (endpoints ?? []).flatMap((endpoint) => (endpoint.hostname ? endpoint.addresses : [])),
  )
  sliceInformer.addIndex(BY_SERVICE, ({ metadata }) => {
    const service = metadata.labels?.['kubernetes.io/service-name']
    return service === undefined ? [] : [`${metadata.namespace}/${service}`]
  })
  const { lister: ofServices } = serviceInformer
  const { lister: ofSlices } = sliceInformer
  return {
    service: (namespace, name) => ofServices.get(`${namespace}/${name}`),
    slices: (namespace, name) => ofSlices.by(BY_SERVICE, `${namespace}/${name}`),
    hasNamespace: (namespace) => ofServices.inNamespace(namespace).length > 0,
    serviceByIp: (ip) => (ip === 'None' ? undefined : ofServices.by(BY_IP, ip)[0]),
    slicesByIp: (ip) => ofSlices.by(BY_IP, ip),
  }
}
