// StreamObjects straight from the store.

import type { KubeObject } from '../../api/object.ts'
import type { Registry } from '../../api/registry.ts'
import type { AnyRow } from '../../api/resource.ts'
import type { EndpointSlice } from '../../api/schema/generated/types.ts'
import { notFound } from '../../api/status.ts'
import { assert } from '../../lib/assert.ts'
import type { Store } from '../../store/store.ts'
import { readObject } from '../storage/reader.ts'
import { decodeStored, storePrefix } from '../storage/stored.ts'
import type { StreamObjects } from './contract.ts'

const SERVICE_LABEL = 'kubernetes.io/service-name'

export function storeObjects(store: Store, registry: Registry): StreamObjects {
  const rowOf = (group: string, plural: string): AnyRow => {
    const row = registry.find(group, 'v1', plural)
    assert(row !== undefined, `no row for ${plural}`)
    return row
  }
  const read = (plural: string, namespace: string, name: string) => {
    const row = rowOf('', plural)
    const object: KubeObject | undefined = readObject(store, row, { namespace, name })
    if (object === undefined) throw notFound(row, name)
    return object as never
  }
  return {
    pod: (namespace, name) => read('pods', namespace, name),
    service: (namespace, name) => read('services', namespace, name),
    node: (name) => read('nodes', '', name),
    slicesOf(namespace, service) {
      const row = rowOf('discovery.k8s.io', 'endpointslices')
      const { entries } = store.list(storePrefix(row, namespace))
      return entries
        .filter(({ value }) => value.includes(`"${SERVICE_LABEL}":${JSON.stringify(service)}`))
        .map((entry) => decodeStored(row, entry) as unknown as EndpointSlice)
        .filter(({ metadata }) => metadata.labels?.[SERVICE_LABEL] === service)
    },
  }
}
