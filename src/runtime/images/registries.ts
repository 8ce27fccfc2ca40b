// Where images come from besides the registry that their name says: registries.yaml of k3s.
// Pure.
//
//   name ─► endpoints of its mirror, in order, each rewritten ─► the registry itself
//
// Every attempt knows one endpoint and the account of that endpoint alone: what a pod or a person
// gave for one registry is never shown to another.

import type { PullCredentials } from '../contract.ts'
import { formatReference, isLocalRegistry, parseReference, type Reference } from './reference.ts'

export type Registries = {
  /** By registry, as it stands in names; `*` for those that have none. */
  readonly mirrors: ReadonlyMap<string, Mirror>
  /** By host, with its port; `*` for those that have none. */
  readonly hosts: ReadonlyMap<string, HostConfig>
}

export type Mirror = { readonly endpoints: readonly URL[]; readonly rewrites: readonly Rewrite[] }
export type Rewrite = { readonly pattern: RegExp; readonly replacement: string }
export type HostConfig = { readonly credentials?: PullCredentials; readonly tls?: TlsConfig }

/** Absolute paths. */
export type TlsConfig = {
  readonly ca?: string
  readonly client?: { readonly cert: string; readonly key: string }
  readonly skipVerify: boolean
}

export const NO_REGISTRIES: Registries = { mirrors: new Map(), hosts: new Map() }

export type PullAttempt = {
  /** As errors say it: `https://mirror:5000`, or the registry itself. */
  readonly from: string
  /** What is asked for there: not the image's own name where a rewrite says so. */
  readonly name: string
  readonly credentials: PullCredentials | undefined
  readonly isPlain: boolean
  /** containerd's hosts.toml, where the endpoint is more than what the name says. */
  readonly hostsFile: string | undefined
}

const HUB = 'docker.io'
const HUB_HOST = 'registry-1.docker.io'

/** What to try, in order. `credentials` are a pod's own, for the registry itself. */
export function planPull(
  name: string,
  credentials: readonly PullCredentials[],
  registries: Registries,
): PullAttempt[] {
  const reference = parseReference(name)
  const { registry } = reference
  const mirror = registries.mirrors.get(registry) ?? registries.mirrors.get('*')
  const mirrored = (mirror?.endpoints ?? []).map((endpoint) => {
    const host = hostConfig(registries, [endpoint.host])
    return {
      from: endpoint.origin,
      name: formatReference(rewritten(reference, mirror!.rewrites)),
      credentials: host.credentials,
      isPlain: false,
      hostsFile: hostsFile(endpoint.href, hasPath(endpoint), host.tls),
    }
  })
  return [...mirrored, ...ownAttempts(name, registry, credentials, registries)]
}

/** At the registry itself: the accounts of the pod, or the one that the file has for it. */
function ownAttempts(
  name: string,
  registry: string,
  credentials: readonly PullCredentials[],
  registries: Registries,
): PullAttempt[] {
  const { credentials: configured, tls } = hostConfig(
    registries,
    registry === HUB ? [HUB, HUB_HOST] : [registry],
  )
  const isPlain = isLocalRegistry(registry) && tls === undefined
  const url = `https://${registry === HUB ? HUB_HOST : registry}`
  const own = {
    from: registry,
    name,
    isPlain,
    hostsFile: tls === undefined ? undefined : hostsFile(url, false, tls),
  }
  const accounts = credentials.length > 0 ? credentials : [configured]
  return accounts.map((account) => ({ ...own, credentials: account }))
}

function hostConfig({ hosts }: Registries, names: readonly string[]): HostConfig {
  const found = names.map((name) => hosts.get(name)).find((one) => one !== undefined)
  return found ?? hosts.get('*') ?? {}
}

/** The first rule that changes the path decides. */
function rewritten(reference: Reference, rewrites: readonly Rewrite[]): Reference {
  for (const { pattern, replacement } of rewrites) {
    const path = reference.path.replace(pattern, replacement)
    if (path !== reference.path) return { ...reference, path }
  }
  return reference
}

function hasPath({ pathname }: URL): boolean {
  return pathname !== '/'
}

/**
 * An address with a path is taken as it is; to others `/v2` is added. The server is named so that
 * nobody else is asked, and for pushing alone, so that it is asked once.
 */
function hostsFile(url: string, isWholePath: boolean, tls: TlsConfig | undefined): string {
  const text = (value: string) => JSON.stringify(value)
  const client = tls?.client
  const address = text(url.replace(/\/$/, ''))
  const lines = [
    `server = ${address}`,
    'capabilities = ["push"]',
    `[host.${address}]`,
    'capabilities = ["pull", "resolve"]',
    ...(isWholePath ? ['override_path = true'] : []),
    ...(tls?.ca === undefined ? [] : [`ca = ${text(tls.ca)}`]),
    ...(client === undefined ? [] : [`client = [[${text(client.cert)}, ${text(client.key)}]]`]),
    ...(tls?.skipVerify ? ['skip_verify = true'] : []),
  ]
  return `${lines.join('\n')}\n`
}
