// Certificates with keys that we use ourselves: made when missing, unfit or near their end.

import { join } from 'node:path'
import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import { type Sources, soundNow } from './authority.ts'
import { type Authority, isIssuedBy, issueCertificate, readCertificate } from './certificate.ts'
import { generateKey, readKey } from './keys.ts'
import type { ServerNames, Subject } from './names.ts'

export type Credential = { certificatePem: string; privateKeyPem: string }

export type CredentialDraft = {
  subject: Subject
  /** Makes it the certificate of a server that answers to these. Without, it is a client's. */
  names?: ServerNames
}

const DAY_MS = 24 * 3600 * 1000
/** As upstream; it is renewed with a third of it left. */
export const CREDENTIAL_LIFE_MS = 365 * DAY_MS

/** Signs a certificate for a fresh key. */
export async function issueCredential(
  draft: CredentialDraft,
  authority: Authority,
  { clock, random }: Sources,
): Promise<Credential> {
  const key = generateKey()
  const limits = readCertificate(authority.certificatePem)
  const notAfterMs = Math.min(soundNow(clock.nowMs()) + CREDENTIAL_LIFE_MS, limits.notAfterMs)
  const certificatePem = await issueCertificate(
    {
      subject: draft.subject,
      publicKey: key.public,
      // As old as its authority: a peer whose clock is slow must not find it from the future.
      validity: { notBeforeMs: limits.notBeforeMs, notAfterMs },
      usages: [
        ...['digital signature', 'key encipherment'],
        draft.names ? 'server auth' : 'client auth',
      ],
      ...(draft.names ? { names: draft.names } : {}),
    },
    authority,
    random,
  )
  return { certificatePem, privateKeyPem: key.privatePem }
}

/** When to renew a certificate, in ms since 1970: with a third of a full life left. */
export function renewalMs(certificatePem: string): number {
  return readCertificate(certificatePem).notAfterMs - CREDENTIAL_LIFE_MS / 3
}

/** Why a credential must be made anew; undefined when it is good. */
export function faultOf(
  credential: Credential,
  draft: CredentialDraft,
  authority: Authority,
  nowMs: number,
): string | undefined {
  const facts = readFacts(credential, authority)
  if (facts === undefined) return 'it is not one of this cluster'
  if (nowMs >= renewalMs(credential.certificatePem)) return 'it is near its end'
  const { commonName, organizations = [] } = draft.subject
  const isSubject = facts.commonName === commonName && isSameSet(facts.organizations, organizations)
  if (!isSubject) return 'it is made out to somebody else'
  const { dns = [], ips = [] } = draft.names ?? {}
  const hasNames = isSameSet(facts.names.dns, dns) && isSameSet(facts.names.ips, ips)
  return hasNames ? undefined : 'the names of the server have changed'
}

/** Reads `NAME.crt` and `NAME.key`, or makes them when they are missing or unfit. */
export async function ensureCredential(
  where: { dir: string; name: string },
  draft: CredentialDraft,
  authority: Authority,
  sources: Sources,
): Promise<Credential> {
  const files = credentialFiles(where)
  const certificatePem = await readFileIfAny(files.certificate)
  const privateKeyPem = await readFileIfAny(files.key)
  if (certificatePem !== undefined && privateKeyPem !== undefined) {
    const found = { certificatePem, privateKeyPem }
    if (faultOf(found, draft, authority, sources.clock.nowMs()) === undefined) return found
  }
  const made = await issueCredential(draft, authority, sources)
  await saveCredential(where, made)
  return made
}

/** Two files cannot change at once; a half that stays behind fits nothing and is made anew. */
export async function saveCredential(
  where: { dir: string; name: string },
  credential: Credential,
): Promise<void> {
  const files = credentialFiles(where)
  await writeFileAtomic(files.key, credential.privateKeyPem)
  await writeFileAtomic(files.certificate, credential.certificatePem)
}

function credentialFiles({ dir, name }: { dir: string; name: string }) {
  return { certificate: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
}

function readFacts({ certificatePem, privateKeyPem }: Credential, authority: Authority) {
  try {
    const key = readKey(privateKeyPem, 'the key')
    return isIssuedBy(certificatePem, authority, key) ? readCertificate(certificatePem) : undefined
  } catch {
    // Unreadable files are as good as none: they are ours to write again.
    return undefined
  }
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set(a).symmetricDifference(new Set(b)).size === 0
}
