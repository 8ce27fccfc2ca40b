// Reads what registries.yaml says, strictly: a word that is not known is a fault, no comment. Pure.
//
//   mirrors: { docker.io: { endpoint: [https://mirror:5000], rewrite: { ^library/(.*): own/$1 } } }
//   configs: { mirror:5000: { auth: { username, password }, tls: { ca_file } } }

import type { PullCredentials } from '../contract.ts'
import type { HostConfig, Mirror, Registries, Rewrite, TlsConfig } from './registries.ts'

/** Where in the file, what is wrong, and what would be right. */
export class RegistriesFault extends Error {
  override readonly name = 'RegistriesFault'
  constructor(at: string, why: string) {
    super(`${at}: ${why}`)
  }
}

/** `value` is the document as YAML gives it. Throws RegistriesFault. */
export function parseRegistries(value: unknown): Registries {
  const file = fieldsOf(value ?? {}, 'the file', ['mirrors', 'configs'])
  const mirrors = entriesOf(file.get('mirrors'), 'mirrors')
  const configs = entriesOf(file.get('configs'), 'configs')
  return {
    mirrors: new Map(mirrors.map(([name, one]) => [name, mirrorOf(one, `mirrors.${name}`)])),
    hosts: new Map(
      configs.map(([name, one]) => {
        const at = `configs.${name}`
        const config = hostConfigOf(one, at)
        if (name === '*' && config.credentials !== undefined) {
          throw new RegistriesFault(`${at}.auth`, 'would show one account to every registry')
        }
        return [name.replace(/^https?:\/\//, '').replace(/\/$/, ''), config]
      }),
    ),
  }
}

/** Every file that the configuration names, and where it does. */
export function filesOf({ hosts }: Registries): { at: string; path: string }[] {
  return [...hosts].flatMap(([name, { tls }]) => {
    const at = `configs.${name}.tls`
    return [
      ...(tls?.ca === undefined ? [] : [{ at: `${at}.ca_file`, path: tls.ca }]),
      ...(tls?.client === undefined
        ? []
        : [
            { at: `${at}.cert_file`, path: tls.client.cert },
            { at: `${at}.key_file`, path: tls.client.key },
          ]),
    ]
  })
}

function mirrorOf(value: unknown, at: string): Mirror {
  const fields = fieldsOf(value ?? {}, at, ['endpoint', 'rewrite'])
  const endpoints = fields.get('endpoint') ?? []
  if (!Array.isArray(endpoints)) throw new RegistriesFault(`${at}.endpoint`, 'must be a list')
  return {
    endpoints: endpoints.map((one) => endpointOf(one, `${at}.endpoint`)),
    rewrites: entriesOf(fields.get('rewrite'), `${at}.rewrite`).map(([pattern, to]) =>
      rewriteOf(pattern, to, `${at}.rewrite`),
    ),
  }
}

function endpointOf(value: unknown, at: string): URL {
  const url = typeof value === 'string' ? URL.parse(value) : null
  const isFine = url !== null && /^https?:$/.test(url.protocol) && url.username === ''
  if (isFine && url.search === '' && url.hash === '') return url
  throw new RegistriesFault(
    at,
    `${JSON.stringify(value)} is not valid: give an address such as https://mirror:5000`,
  )
}

/** Groups are written `$1` or, as Go has it too, `${1}`. */
function rewriteOf(pattern: string, to: unknown, at: string): Rewrite {
  if (typeof to !== 'string') throw new RegistriesFault(`${at}.${pattern}`, 'must be text')
  try {
    return { pattern: new RegExp(pattern, 'g'), replacement: to.replaceAll(/\$\{(\d+)\}/g, '$$$1') }
  } catch {
    // Whatever is wrong with it, the way out is the same.
    throw new RegistriesFault(at, `${JSON.stringify(pattern)} is no regular expression`)
  }
}

function hostConfigOf(value: unknown, at: string): HostConfig {
  const fields = fieldsOf(value ?? {}, at, ['auth', 'tls'])
  const credentials = credentialsOf(fields.get('auth'), `${at}.auth`)
  const tls = tlsOf(fields.get('tls'), `${at}.tls`)
  return {
    ...(credentials === undefined ? {} : { credentials }),
    ...(tls === undefined ? {} : { tls }),
  }
}

function credentialsOf(value: unknown, at: string): PullCredentials | undefined {
  if (value === undefined || value === null) return undefined
  const fields = fieldsOf(value, at, ['username', 'password', 'auth'])
  const auth = textOf(fields, 'auth', at)
  const decoded = Buffer.from(auth ?? '', 'base64').toString()
  const colon = decoded.indexOf(':')
  if (auth !== undefined && colon < 0) {
    throw new RegistriesFault(`${at}.auth`, 'must be base64 of username:password')
  }
  const username = textOf(fields, 'username', at) ?? decoded.slice(0, Math.max(colon, 0))
  const password = textOf(fields, 'password', at) ?? decoded.slice(colon + 1)
  if (username !== '' && password !== '') return { username, password }
  throw new RegistriesFault(at, 'needs username and password')
}

function tlsOf(value: unknown, at: string): TlsConfig | undefined {
  if (value === undefined || value === null) return undefined
  const names = ['ca_file', 'cert_file', 'key_file', 'insecure_skip_verify']
  const fields = fieldsOf(value, at, names)
  const path = (name: string) => {
    const text = textOf(fields, name, at)
    if (text === undefined || text.startsWith('/')) return text
    throw new RegistriesFault(`${at}.${name}`, 'must be an absolute path')
  }
  const skipVerify = fields.get('insecure_skip_verify') ?? false
  if (typeof skipVerify !== 'boolean') {
    throw new RegistriesFault(`${at}.insecure_skip_verify`, 'must be true or false')
  }
  const [ca, cert, key] = [path('ca_file'), path('cert_file'), path('key_file')]
  if ((cert === undefined) !== (key === undefined)) {
    throw new RegistriesFault(at, 'needs cert_file and key_file together')
  }
  const client = cert === undefined || key === undefined ? undefined : { cert, key }
  return {
    skipVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { client }),
  }
}

function textOf(fields: Map<string, unknown>, name: string, at: string): string | undefined {
  const value = fields.get(name)
  if (value === undefined || value === null) return undefined
  // A password of digits is a number to YAML.
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw new RegistriesFault(`${at}.${name}`, 'must be text')
}

/** The fields of an object that may have these and no others. */
function fieldsOf(value: unknown, at: string, known: readonly string[]): Map<string, unknown> {
  const entries = entriesOf(value, at)
  const other = entries.find(([name]) => !known.includes(name))
  if (other === undefined) return new Map(entries)
  throw new RegistriesFault(at, `${other[0]} is not known: there are ${known.join(', ')}`)
}

function entriesOf(value: unknown, at: string): [string, unknown][] {
  if (value === undefined || value === null) return []
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value)
  throw new RegistriesFault(at, 'must hold keys and values')
}
