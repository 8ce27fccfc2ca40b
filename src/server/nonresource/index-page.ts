// `/`: which paths there are.

import type { Admitted } from '../request/admitted.ts'
import { methodNotAllowed, renderJson } from '../response/errors.ts'
import type { Server } from '../server.ts'
import type { Answer } from '../transport/call.ts'
import { healthPaths } from './health.ts'

const PATHS = [
  ...['/.well-known/openid-configuration', '/api', '/apis', '/apis/', '/metrics', '/openapi/v2'],
  ...['/openapi/v3', '/openapi/v3/', '/openid/v1/jwks', '/version'],
]

export function indexPage({ registry }: Server): Answer {
  const groups = registry.groups().flatMap(({ name, versions }) => {
    const root = name === '' ? '/api' : `/apis/${name}`
    return [root, ...versions.map(({ version }) => `${root}/${version}`)]
  })
  const paths = [...new Set([...PATHS, ...groups, ...healthPaths()])].sort()
  const headers = { 'content-type': 'application/json' }
  return { code: 200, headers, body: renderJson({ paths }, true) }
}

/** What upstream serves through its router and not beside it: GET, and no HEAD either. */
export function onlyGet<A extends unknown[]>(
  document: (server: Server, admitted: Admitted, ...rest: A) => Answer,
): typeof document {
  return (server, admitted, ...rest) => {
    if (admitted.call.method !== 'GET') throw methodNotAllowed()
    return document(server, admitted, ...rest)
  }
}
