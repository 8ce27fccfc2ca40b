// Kinds that are not served yet and that kubectl asks for whether they are or not. There are none
// of them, and saying so lets kubectl go on, in its own words: `apply` of a kind that nobody knows
// looks for a definition of it.

import { negotiateOutput } from '../request/negotiation.ts'
import type { RequestInfo } from '../request/request-info.ts'
import { formOf, rendered } from '../response/form.ts'
import type { Server } from '../server.ts'
import type { Answer, Call } from '../transport/call.ts'

const KINDS = new Map([
  ['apiextensions.k8s.io/v1/customresourcedefinitions', 'CustomResourceDefinition'],
])

/** Undefined for what is no list of these. */
export function emptyList(server: Server, call: Call, info: RequestInfo): Answer | undefined {
  const { group, version, resource, verb } = info
  const kind = KINDS.get(`${group}/${version}/${resource}`)
  if (kind === undefined || verb !== 'list' || call.method !== 'GET') return undefined
  const metadata = { resourceVersion: String(server.store.revision) }
  const list = { kind: `${kind}List`, apiVersion: `${group}/${version}`, metadata, items: [] }
  return rendered(200, list, formOf({ server, call }, negotiateOutput(call)))
}
