// Reads and writes of what a cluster begins with, as requests to its own API.

import type { AnyObject, KubeObject } from '../../api/object.ts'
import { type AnyRow, groupVersionOf, pathOf } from '../../api/resource.ts'
import { ApiError, type Status } from '../../api/status.ts'
import type { App } from '../contract.ts'

const USER = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] }
const HEADERS = { 'user-agent': 'kube-apiserver', 'content-type': 'application/json' }

export type Wanted = {
  row: AnyRow
  object: KubeObject
  subresource?: string
  /** Default: kube-apiserver. */
  manager?: string
}

/** Undefined where there is none. */
export async function read(app: App, { row, object }: Wanted): Promise<AnyObject | undefined> {
  const response = await app.fetch(new Request(urlOf(row, object, true)), { user: USER })
  const body = await response.json()
  if (response.status === 404) return undefined
  if (!response.ok) throw ApiError.fromStatus(body as Status)
  return body as AnyObject
}

/** What was answered; undefined when another server of the same store was quicker. */
export async function write(
  app: App,
  method: 'POST' | 'PUT' | 'DELETE',
  wanted: Wanted,
): Promise<AnyObject | undefined> {
  const { row, object, subresource = '', manager } = wanted
  const body = JSON.stringify({ apiVersion: groupVersionOf(row), kind: row.kind, ...object })
  const path = `${urlOf(row, object, method !== 'POST')}${subresource && `/${subresource}`}`
  const url = manager === undefined ? path : `${path}?fieldManager=${manager}`
  const init = method === 'DELETE' ? { method } : { method, headers: HEADERS, body }
  const response = await app.fetch(new Request(url, init), { user: USER })
  const answer = await response.json()
  if (response.ok) return answer as AnyObject
  if (response.status !== 409) throw ApiError.fromStatus(answer as Status)
  return undefined
}

function urlOf(row: AnyRow, { metadata }: KubeObject, named: boolean): string {
  const { namespace, name } = metadata
  return `http://kedge.internal${pathOf(row, { namespace, ...(named ? { name: name! } : {}) })}`
}
