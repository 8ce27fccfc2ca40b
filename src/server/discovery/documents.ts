// /api and /apis: which resources there are, in the old form and in the aggregated one (KEP-3352).
//
// The documents are made once for each state of the registry.

import { createHash } from 'node:crypto'
import type { Registry } from '../../api/registry.ts'
import type { Admitted } from '../request/admitted.ts'
import { negotiateOutput, wantsAggregatedDiscovery } from '../request/negotiation.ts'
import { methodNotAllowed, pageNotFound, unknownResource } from '../response/errors.ts'
import { formOf, rendered } from '../response/form.ts'
import type { Server } from '../server.ts'
import type { Answer } from '../transport/call.ts'
import {
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  groupDiscoveryList,
} from './groups.ts'

const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

type Aggregated = { generation: number; body: string; etag: string }

const aggregated = new WeakMap<Registry, Map<'core' | 'named', Aggregated>>()

export function discovery(server: Server, admitted: Admitted): Answer {
  const { call } = admitted
  const parts = call.path.split('/').filter((part) => part !== '')
  // Upstream serves lists of groups beside its router, which alone refuses HEAD.
  const takesHead = parts[0] === 'apis' && parts.length < 3
  if (call.method !== 'GET' && !(takesHead && call.method === 'HEAD')) throw methodNotAllowed()
  if (parts.length === 1 && wantsAggregatedDiscovery(call)) {
    return aggregatedAnswer(server, admitted, parts[0] === 'api' ? 'core' : 'named')
  }
  const document = documentAt(server, parts)
  if (document === undefined) return pageNotFound()
  return rendered(200, document, formOf({ server, call }, negotiateOutput(call)))
}

function documentAt({ registry, settings }: Server, parts: readonly string[]): unknown {
  const [root, first, second] = parts
  if (root === 'api') {
    if (first === undefined) {
      return apiVersions(registry, `${settings.advertiseAddress}:${settings.advertisePort}`)
    }
    return resourceList(registry, '', first)
  }
  if (first === undefined) return apiGroupList(registry)
  const group = registry.groups().find(({ name }) => name === first)
  if (group === undefined || first === '') return undefined
  return second === undefined ? apiGroupDocument(group) : resourceList(registry, first, second)
}

function resourceList(registry: Registry, group: string, version: string) {
  const found = registry
    .groups()
    .find(({ name }) => name === group)
    ?.versions.find((one) => one.version === version)
  if (found !== undefined) return apiResourceList(registry, group, found)
  // Of groups that definitions made, upstream knows no more than their paths.
  if (registry.rows.some((row) => row.group === group && row.custom === undefined)) {
    throw unknownResource()
  }
  return undefined
}

function aggregatedAnswer(
  { registry }: Server,
  { call }: Admitted,
  which: 'core' | 'named',
): Answer {
  const { body, etag } = aggregatedDocument(registry, which)
  const headers = {
    'cache-control': 'public',
    etag,
    vary: 'Accept',
    'content-type': AGGREGATED_TYPE,
  }
  if (call.header('if-none-match') === etag) return { code: 304, headers, body: '' }
  return { code: 200, headers, body }
}

function aggregatedDocument(registry: Registry, which: 'core' | 'named'): Aggregated {
  let known = aggregated.get(registry)
  if (known === undefined) {
    known = new Map()
    aggregated.set(registry, known)
  }
  const made = known.get(which)
  if (made?.generation === registry.generation) return made
  const body = `${JSON.stringify(groupDiscoveryList(registry, which))}\n`
  const hash = createHash('sha512').update(body).digest('hex').toUpperCase()
  const document = { generation: registry.generation, body, etag: `"${hash}"` }
  known.set(which, document)
  return document
}
