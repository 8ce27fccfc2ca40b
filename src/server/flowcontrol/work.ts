// How many seats a request takes: as many as there is work in it.

import type { Registry } from '../../api/registry.ts'
import type { Store } from '../../store/store.ts'
import type { Query } from '../request/query.ts'
import type { RequestInfo } from '../request/request-info.ts'
import { storePrefix } from '../storage/stored.ts'

/** Upstream's: objects of a list for each seat, and the most that any list takes. */
const OBJECTS_PER_SEAT = 100
const SEATS_MAX = 10

const STREAMS = new Set(['proxy', 'exec', 'attach', 'portforward', 'log'])

/** Streams last as long as people like, and take no seat. A watch takes one until it has begun. */
export function takesSeat({ isResource, subresource }: RequestInfo): boolean {
  return !isResource || !STREAMS.has(subresource)
}

/** Is it over when its answer has begun? */
export function lasts({ verb, subresource }: RequestInfo): boolean {
  return verb === 'watch' || STREAMS.has(subresource)
}

export function seatsFor(
  { store, registry }: { store: Store; registry: Registry },
  info: RequestInfo,
  query: Query,
): number {
  const isList = info.verb === 'list' || (info.verb === 'watch' && query.flag('sendInitialEvents'))
  if (!isList || info.name !== '') return 1
  const limit = Number(query.get('limit') ?? 0)
  const row = registry.find(info.group, info.version, info.resource)
  if (row === undefined) return 1
  // Counting costs as much as reading a page, and a page says itself how long it is.
  const objects = limit > 0 ? limit : store.count(storePrefix(row, info.namespace))
  return Math.max(1, Math.min(Math.ceil(objects / OBJECTS_PER_SEAT), SEATS_MAX))
}
