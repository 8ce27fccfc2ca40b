// How a node gets its identity: from a join token once, from its own certificate ever after.
//
//   token ─► fetch the CA, check its hash ─► key and CSR ─► signed by the cluster ─► on disk
//
// The token holds the hash of the CA, so nobody in between can pretend to be the server.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { certificateSigningRequests } from '../api/kinds/certificates/certificatesigningrequest/row.ts'
import type { CertificateSigningRequest } from '../api/schema/generated/types.ts'
import { ApiError } from '../api/status.ts'
import { createClient } from '../kit/client-impl.ts'
import { remoteTransport } from '../kit/transport-remote.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import { describeError } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import { certificateEndsAtMs } from '../pki/certificate.ts'
import { createCsr } from '../pki/csr.ts'
import { parseJoinToken } from '../pki/tokens.ts'
import { whyUnreachable } from './unreachable.ts'

export type Identity = { ca: string; cert: string; key: string }

export type JoinOptions = {
  url: string
  /** Asked for only when this node has no certificate that is good. */
  token: () => Promise<string | undefined>
  nodeName: string
  /** Folder of the node's certificate. */
  folder: string
  clock: Clock
}

const SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet'
const SIGNED_MS_MAX = 60_000

/** The identity on disk, or a new one by the token. Throws UserError with the way out. */
export async function joinCluster(options: JoinOptions, signal: AbortSignal): Promise<Identity> {
  const known = await readIdentity(options.folder)
  const nowMs = options.clock.nowMs()
  if (known !== undefined && certificateEndsAtMs(known.cert) > nowMs) return known
  const told = await options.token()
  if (told === undefined) {
    const why = known === undefined ? 'has not joined yet' : 'was away until its certificate ended'
    throw new UserError(`this node ${why}: give --token, from kedge token create on the server`)
  }
  const token = parseJoinToken(told)
  const ca = await fetchCa(options.url, token.caHash, options.clock, signal)
  const secret = `${token.id}.${token.secret}`
  const identity = await requestIdentity(options, { ca, token: secret }, signal)
  await writeIdentity(options.folder, identity)
  return identity
}

async function readIdentity(folder: string): Promise<Identity | undefined> {
  const read = (name: string) => readFileIfAny(join(folder, name))
  const [ca, cert, key] = await Promise.all([read('ca.crt'), read('node.crt'), read('node.key')])
  return ca && cert && key ? { ca, cert, key } : undefined
}

export async function writeIdentity(folder: string, { ca, cert, key }: Identity): Promise<void> {
  await writeFileAtomic(join(folder, 'ca.crt'), ca)
  await writeFileAtomic(join(folder, 'node.key'), key)
  await writeFileAtomic(join(folder, 'node.crt'), cert)
}

/** The only request whose answer is not authenticated by TLS: the hash does that. */
async function fetchCa(
  url: string,
  caHash: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const limit = timeLimit(clock, 15_000, signal)
  let ca: string
  try {
    const tls = { rejectUnauthorized: false }
    const response = await fetch(`${url}/cacerts`, { tls, signal: limit.signal })
    if (!response.ok) throw new UserError(`answers ${response.status}: is it a kedge server?`)
    ca = await response.text()
  } catch (error) {
    signal.throwIfAborted()
    throw new UserError(`--server ${url}: ${whyUnreachable(error)}`)
  } finally {
    limit.done()
  }
  if (createHash('sha256').update(ca).digest('hex') === caHash) return ca
  throw new UserError(
    `--token: the server at ${url} has another CA than this token names: ` +
      'make a token on that server with kedge token create, or correct --server',
  )
}

/** Asks for a certificate with `credentials`, and waits until the cluster has signed it. */
export async function requestIdentity(
  { url, nodeName, clock }: Pick<JoinOptions, 'url' | 'nodeName' | 'clock'>,
  credentials: { ca: string; token?: string; cert?: string; key?: string },
  signal: AbortSignal,
): Promise<Identity> {
  const userAgent = 'kedge-agent'
  const transport = remoteTransport({
    url: () => url,
    credentials: () => credentials,
    userAgent,
    clock,
  })
  const client = createClient(transport)
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }
  const { csr, key } = await createCsr(subject)
  const request: CertificateSigningRequest = {
    metadata: { generateName: `node-${nodeName}-` },
    spec: { request: btoa(csr), signerName: SIGNER, usages: ['digital signature', 'client auth'] },
  }
  const limit = timeLimit(clock, SIGNED_MS_MAX, signal)
  try {
    const made = await client.create(certificateSigningRequests, request, limit.signal)
    const selected = { fieldSelector: `metadata.name=${made.metadata.name}`, resourceVersion: '0' }
    for await (const event of client.watch(certificateSigningRequests, selected, limit.signal)) {
      if (event.type === 'BOOKMARK') continue
      const { status } = event.object
      const refused = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
      if (refused) throw new Error(`${refused.type}: ${refused.message}`)
      if (status?.certificate) return { ca: credentials.ca, cert: atob(status.certificate), key }
    }
    throw new Error('the server ended the watch')
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ApiError && error.code === 401) {
      throw new UserError(
        '--token: the server does not know this token, or it has expired: make one with ' +
          'kedge token create',
      )
    }
    throw new UserError(`the server gave this node no certificate: ${describeError(error)}`)
  } finally {
    limit.done()
  }
}
