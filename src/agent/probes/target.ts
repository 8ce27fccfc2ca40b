// Where a probe or a hook goes: host, port, path. Pure.

import type { Container, HTTPGetAction } from '../../api/schema/generated/types.ts'
import { joinHostPort } from '../../lib/net/dial-error.ts'

export type HttpTarget = {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** Path and query. */
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
}

/** A number, or the name of a port of the container. Throws when there is no such port. */
export function portOf(port: number | string, container: Container): number {
  const number = Number(port)
  if (Number.isInteger(number)) {
    if (number > 0 && number < 65_536) return number
    throw new Error(`invalid port number: ${number}`)
  }
  const named = container.ports?.find(({ name }) => name === port)
  if (named !== undefined) return named.containerPort
  throw new Error(`couldn't find port named "${port}" in container "${container.name}"`)
}

/** `purpose` is the part of the User-Agent that tells probes from hooks. */
export function httpTarget(
  action: HTTPGetAction,
  container: Container,
  podIp: string,
  purpose: 'probe' | 'lifecycle',
): HttpTarget {
  const path = action.path ?? ''
  const given = (action.httpHeaders ?? []).map(({ name, value }) => [name, value ?? ''] as const)
  const names = new Set(given.map(([name]) => name.toLowerCase()))
  const headers: (readonly [string, string])[] = given.filter(
    ([name, value]) => name.toLowerCase() !== 'accept' || value !== '',
  )
  if (!names.has('user-agent')) headers.push(['User-Agent', `kube-${purpose}/1.36`])
  if (!names.has('accept')) headers.push(['Accept', '*/*'])
  return {
    scheme: action.scheme?.toLowerCase() === 'https' ? 'https' : 'http',
    host: action.host || podIp,
    port: portOf(action.port, container),
    path: path.startsWith('/') ? path : `/${path}`,
    headers,
  }
}

export function urlOf({ scheme, host, port, path }: HttpTarget): string {
  return `${scheme}://${joinHostPort(host, port)}${path}`
}
