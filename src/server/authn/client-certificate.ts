// The certificate of a TLS client: which of our authorities issued it, and whom it names.

import { createHash, X509Certificate } from 'node:crypto'
import { factsOf } from '../../pki/certificate.ts'
import { keyFingerprint } from '../../pki/node-keys.ts'
import type { RequestEnv } from '../contract.ts'

export type ClientCas = {
  /** Issues certificates of people, components and nodes. PEM, one or more. */
  client: string
  /** Issues those of proxies that speak for others. */
  frontProxy: string
}

/** What a TLS socket knows of its peer. */
export type PeerSocket = {
  getPeerCertificate?: (detailed?: boolean) => { raw?: Buffer } | undefined
}

type Verified = NonNullable<RequestEnv['clientCertificate']>
type Known = { verified: Verified; notBeforeMs: number; notAfterMs: number } | undefined

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

/** Checks each connection's certificate once; only its dates are looked at again. */
export class PeerCertificates {
  readonly #client: readonly X509Certificate[]
  readonly #frontProxy: readonly X509Certificate[]
  readonly #known = new WeakMap<object, { certificate: Known }>()

  constructor(cas: ClientCas) {
    this.#client = certificatesIn(cas.client)
    this.#frontProxy = certificatesIn(cas.frontProxy)
  }

  /** Undefined when there is no certificate, or none of ours, or it is out of date. */
  of(socket: PeerSocket, nowMs: number): Verified | undefined {
    let known = this.#known.get(socket)
    if (known === undefined) {
      known = { certificate: this.#readIfAny(socket) }
      this.#known.set(socket, known)
    }
    const { certificate } = known
    if (certificate === undefined) return undefined
    if (nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs) return undefined
    return certificate.verified
  }

  #readIfAny(socket: PeerSocket): Known {
    try {
      return this.#read(socket)
    } catch {
      // A stranger may send what nobody can read: that shows nothing, and must not end the server.
      return undefined
    }
  }

  #read(socket: PeerSocket): Known {
    const raw = socket.getPeerCertificate?.(true)?.raw
    if (raw === undefined) return undefined
    const certificate = new X509Certificate(raw)
    const issuedBy = this.#issuerOf(certificate)
    if (issuedBy === undefined || !mayBeClient(certificate)) return undefined
    const { commonName, organizations, notBeforeMs, notAfterMs } = factsOf(certificate)
    const sha256 = createHash('sha256').update(raw).digest('hex')
    const publicKeySha256 = keyFingerprint(certificate.publicKey)
    const verified = { commonName, organizations, issuedBy, sha256, publicKeySha256 }
    return { verified, notBeforeMs, notAfterMs }
  }

  #issuerOf(certificate: X509Certificate): Verified['issuedBy'] | undefined {
    const isFrom = (ca: X509Certificate) => certificate.verify(ca.publicKey)
    if (this.#client.some(isFrom)) return 'client'
    return this.#frontProxy.some(isFrom) ? 'front-proxy' : undefined
  }
}

/** No extended usage at all means any. */
function mayBeClient(certificate: X509Certificate): boolean {
  const usages: readonly string[] | undefined = certificate.keyUsage
  return usages === undefined || usages.length === 0 || usages.includes(CLIENT_AUTH)
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)
  return (blocks ?? []).map((block) => new X509Certificate(block))
}
