// How a node gets its identity: from a join token once, from its own certificate ever after.
//
//   token ─► fetch the CA, check its hash ─► key and CSR ─► signed by the cluster ─► on disk
//
// The token holds the hash of the CA, so nobody in between can pretend to be the server. The name
// of the node belongs to its key from the first request on: so the key lies on disk before that.

import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { certificateSigningRequests } from '../api/kinds/certificates/certificatesigningrequest/row.ts'
import { groupVersionOf, pathOf } from '../api/resource.ts'
import type { CertificateSigningRequest } from '../api/schema/generated/types.ts'
import { ApiError } from '../api/status.ts'
import type { Client, Transport } from '../kit/client.ts'
import { createClient, errorOf } from '../kit/client-impl.ts'
import { remoteTransport } from '../kit/transport-remote.ts'
import { type Clock, timeLimit } from '../lib/clock.ts'
import { readFileIfAny, removeIfAny, writeFileAtomic } from '../lib/files.ts'
import { describeError } from '../lib/log.ts'
import { UserError } from '../lib/user-error.ts'
import { certificateEndsAtMs } from '../pki/certificate.ts'
import { createCsr } from '../pki/csr.ts'
import { generateKey, type Key, readKey } from '../pki/keys.ts'
import { parseJoinToken } from '../pki/tokens.ts'
import { AUTHORITY_PATH } from '../protocol/paths.ts'
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
const NEXT_KEY = 'node.key.next'

/** The identity on disk, or a new one by the token. Throws UserError with the way out. */
export async function joinCluster(options: JoinOptions, signal: AbortSignal): Promise<Identity> {
  const known = await readIdentity(options.folder)
  if (known === undefined) return joinAnew(options, 'has not joined yet', signal)
  if (certificateEndsAtMs(known.cert) > options.clock.nowMs()) return known
  return joinAnew(options, 'was away until its certificate ended', signal)
}

/** A new identity, by the token; `why` is told to who gave none. */
export async function joinAnew(
  options: JoinOptions,
  why: string,
  signal: AbortSignal,
): Promise<Identity> {
  const told = await options.token()
  if (told === undefined) {
    const give = 'give --token or KEDGE_TOKEN, from kedge token create on the server'
    throw new UserError(`this node ${why}: ${give}`)
  }
  const token = parseJoinToken(told)
  const ca = await fetchCa(options.url, token.caHash, options.clock, signal)
  const secret = `${token.id}.${token.secret}`
  return requestIdentity(options, { ca, token: secret }, signal)
}

/** Undefined when there is none, or its parts do not belong together and none of it can be used. */
async function readIdentity(folder: string): Promise<Identity | undefined> {
  const read = (name: string) => readFileIfAny(join(folder, name))
  const [ca, cert] = await Promise.all([read('ca.crt'), read('node.crt')])
  if (!ca || !cert) return undefined
  for (const name of ['node.key', NEXT_KEY]) {
    const key = await read(name)
    if (key && isPair(cert, key)) return { ca, cert, key }
  }
  return undefined
}

function isPair(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    // A file that was cut short holds neither.
    return false
  }
}

/** In an order that leaves a pair to be read whenever we are killed. */
async function writeIdentity(folder: string, { ca, cert, key }: Identity): Promise<void> {
  await writeFileAtomic(join(folder, 'ca.crt'), ca)
  await writeFileAtomic(join(folder, 'node.crt'), cert)
  await writeFileAtomic(join(folder, 'node.key'), key)
  await removeIfAny(join(folder, NEXT_KEY))
}

/** The key of a request that is under way: whoever is killed meanwhile asks with the same again. */
async function nextKey(folder: string): Promise<{ key: Key; isKept: boolean }> {
  const path = join(folder, NEXT_KEY)
  const kept = await readFileIfAny(path)
  try {
    if (kept) return { key: readKey(kept, path), isKept: true }
  } catch {
    // A disk may have kept half of it: nobody has seen that key, so another one does.
  }
  return { key: generateKey(), isKept: false }
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
    const response = await fetch(`${url}${AUTHORITY_PATH}`, { tls, signal: limit.signal })
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

/** Asks for a certificate with `credentials`, waits until it is signed, and keeps it. */
export async function requestIdentity(
  { url, nodeName, folder, clock }: Omit<JoinOptions, 'token'>,
  credentials: { ca: string; token?: string; cert?: string; key?: string },
  signal: AbortSignal,
): Promise<Identity> {
  const transport = remoteTransport({
    url: () => url,
    credentials: () => credentials,
    userAgent: 'kedge-agent',
    clock,
  })
  const client = createClient(transport)
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }
  const next = await nextKey(folder)
  const { csr, key } = await createCsr(subject, undefined, next.key)
  const limit = timeLimit(clock, SIGNED_MS_MAX, signal)
  let cert: string
  try {
    const request = requestFor(nodeName, csr)
    // Asked without an effect first: who is refused has written nothing.
    if (!next.isKept) await tryRequest(transport, request, limit.signal)
    if (!next.isKept) await writeFileAtomic(join(folder, NEXT_KEY), key)
    cert = await signedBy(client, request, limit.signal)
  } catch (error) {
    signal.throwIfAborted()
    throw refusalOf(error)
  } finally {
    limit.done()
  }
  const identity = { ca: credentials.ca, cert, key }
  await writeIdentity(folder, identity)
  return identity
}

function requestFor(nodeName: string, csr: string): CertificateSigningRequest {
  return {
    metadata: { generateName: `node-${nodeName}-` },
    spec: { request: btoa(csr), signerName: SIGNER, usages: ['digital signature', 'client auth'] },
  }
}

/** Throws what the server says against the request. */
async function tryRequest(
  transport: Transport,
  request: CertificateSigningRequest,
  signal: AbortSignal,
): Promise<void> {
  const row = certificateSigningRequests
  const body = JSON.stringify({ apiVersion: groupVersionOf(row), kind: row.kind, ...request })
  const path = `${pathOf(row, {})}?dryRun=All`
  const dry = { method: 'POST' as const, path, contentType: 'application/json', body }
  const answer = await transport.request(dry, signal)
  if (answer.code >= 300) throw errorOf(answer.code, answer.body)
}

/** The certificate, once the cluster has signed it. */
async function signedBy(
  client: Client,
  request: CertificateSigningRequest,
  signal: AbortSignal,
): Promise<string> {
  const made = await client.create(certificateSigningRequests, request, signal)
  const selected = { fieldSelector: `metadata.name=${made.metadata.name}`, resourceVersion: '0' }
  for await (const event of client.watch(certificateSigningRequests, selected, signal)) {
    if (event.type === 'BOOKMARK') continue
    const { status } = event.object
    const refused = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
    if (refused) throw new Error(`${refused.type}: ${refused.message}`)
    if (status?.certificate) return atob(status.certificate)
  }
  throw new Error('the server ended the watch')
}

function refusalOf(error: unknown): UserError {
  if (!(error instanceof ApiError)) {
    return new UserError(`the server gave this node no certificate: ${describeError(error)}`)
  }
  if (error.code === 401 && error.message === 'Unauthorized') {
    return new UserError(
      '--token: the server does not know this token, or it has expired: make one with ' +
        'kedge token create',
    )
  }
  // `certificatesigningrequests… "node-x-" is forbidden: ` says nothing to who joins a machine.
  const why = error.code === 403 ? error.message.replace(/^.*? is forbidden: /, '') : error.message
  return new UserError(`the server gave this node no certificate: ${why}`)
}
