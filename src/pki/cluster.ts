// Everything that proves who is who in a cluster, made at the first start of a server.
//
//   ca               signs the server, its clients and the nodes
//   front-proxy-ca   signs only the proxy in front of aggregated APIs, so that no client
//                    certificate can pass for it
//   service-account  signs the tokens of pods
//   server, admin, front-proxy-client   our own credentials, renewed while running

import { join } from 'node:path'
import type { Component } from '../lib/component.ts'
import type { Log } from '../lib/log.ts'
import { ensureAuthority, ensureKey, type Sources } from './authority.ts'
import type { Authority } from './certificate.ts'
import {
  type Credential,
  type CredentialDraft,
  ensureCredential,
  faultOf,
  issueCredential,
  saveCredential,
} from './credential.ts'
import type { Key } from './keys.ts'
import { plainIp, type ServerNames } from './names.ts'

/** What is renewed while running. */
export type CredentialName = 'server' | 'admin' | 'front-proxy-client'

export type ClusterPkiOptions = Sources & {
  dir: string
  /** What this server is reached by, besides the names every cluster has. */
  names: ServerNames
  /** The first address of the service range. */
  serviceIp: string
  /** Default: cluster.local. */
  domain?: string
}

/** The wall clock may jump by years when the network brings the time; asking it costs nothing. */
const CHECK_MS = 60_000

const FRONT_PROXY: CredentialDraft = { subject: { commonName: 'front-proxy-client' } }
const ADMIN: CredentialDraft = {
  subject: { commonName: 'system:admin', organizations: ['system:masters'] },
}

/** Reads what is in `dir` and makes what is missing. Throws `UserError` for what does not fit. */
export async function ensureClusterPki(options: ClusterPkiOptions): Promise<ClusterPki> {
  const { dir } = options
  const [ca, frontProxyCa, serviceAccountKey] = await Promise.all([
    ensureAuthority({ dir, name: 'ca', commonName: 'kedge-ca' }, options),
    ensureAuthority({ dir, name: 'front-proxy-ca', commonName: 'kedge-front-proxy-ca' }, options),
    ensureKey(join(dir, 'service-account.key'), true),
  ])
  const pki = new ClusterPki({ ...options, ca, frontProxyCa, serviceAccountKey })
  await pki.load()
  return pki
}

type Parts = ClusterPkiOptions & { ca: Authority; frontProxyCa: Authority; serviceAccountKey: Key }

export class ClusterPki {
  readonly ca: Authority
  readonly frontProxyCa: Authority
  readonly serviceAccountKey: Key
  readonly #parts: Parts
  readonly #credentials = new Map<CredentialName, Credential>()
  #names: ServerNames

  constructor(parts: Parts) {
    this.ca = parts.ca
    this.frontProxyCa = parts.frontProxyCa
    this.serviceAccountKey = parts.serviceAccountKey
    this.#parts = parts
    this.#names = serverNames(parts)
  }

  /** The one in use now; a renewed one takes its place. */
  credential(name: CredentialName): Credential {
    return this.#credentials.get(name)!
  }

  /** Reads or makes our own credentials. */
  async load(): Promise<void> {
    for (const name of ['server', 'admin', 'front-proxy-client'] as const) {
      const where = { dir: this.#parts.dir, name }
      const [draft, authority] = this.#order(name)
      this.#credentials.set(name, await ensureCredential(where, draft, authority, this.#parts))
    }
  }

  /** Makes anew what is near its end or no longer fits, and returns the names of those. */
  async renew(names: ServerNames = this.#parts.names): Promise<CredentialName[]> {
    this.#names = serverNames({ ...this.#parts, names })
    const renewed: CredentialName[] = []
    for (const [name, credential] of this.#credentials) {
      const [draft, authority] = this.#order(name)
      const fault = faultOf(credential, draft, authority, this.#parts.clock.nowMs())
      if (fault === undefined) continue
      const made = await issueCredential(draft, authority, this.#parts)
      await saveCredential({ dir: this.#parts.dir, name }, made)
      this.#credentials.set(name, made)
      renewed.push(name)
    }
    return renewed
  }

  #order(name: CredentialName): [CredentialDraft, Authority] {
    switch (name) {
      case 'server':
        return [{ subject: { commonName: 'kedge-server' }, names: this.#names }, this.ca]
      case 'admin':
        return [ADMIN, this.ca]
      case 'front-proxy-client':
        return [FRONT_PROXY, this.frontProxyCa]
    }
  }
}

/** Renews credentials while the server runs; `onRenewed` takes them into use. */
export function pkiRenewal(
  pki: ClusterPki,
  options: Sources & { log: Log; onRenewed: (name: CredentialName) => Promise<void> | void },
): Component {
  const { clock, log, onRenewed } = options
  const run = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      try {
        for (const name of await pki.renew()) {
          log.info('renewed a certificate', { name })
          await onRenewed(name)
        }
      } catch (error) {
        log.error('could not renew certificates', { error })
      }
      // The only way in which it can fail is the end of the loop.
      await clock.sleep(CHECK_MS, signal).catch(() => {})
    }
  }
  return { name: 'pki', start: async (signal) => ({ done: run(signal) }) }
}

/** Names that every API server answers to, and those of this one. */
function serverNames({ names, serviceIp, domain = 'cluster.local' }: ClusterPkiOptions) {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const dns = [...service, `kubernetes.default.svc.${domain}`, 'localhost', ...names.dns]
  const ips = ['127.0.0.1', '::1', serviceIp, ...names.ips].map(plainIp)
  return { dns: [...new Set(dns)], ips: [...new Set(ips)] }
}
