// Certificate authorities on disk: made once, kept for the life of the cluster.

import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { readFileIfAny, writeFileAtomic } from '../lib/files.ts'
import type { Random } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import { type Authority, isIssuedBy, issueCertificate, type Validity } from './certificate.ts'
import { generateKey, type Key, readKey } from './keys.ts'

const YEAR_MS = 365 * 24 * 3600 * 1000
/** Longer than the box lives: replacing an authority means touching every node. */
const LIFE_MS = 30 * YEAR_MS
/**
 * Boxes without a battery-backed clock boot into the past, and may make the cluster there. So an
 * authority is valid from this fixed day, and for its whole life counted from the later one.
 */
const EPOCH_MS = Date.UTC(2020, 0, 1)
const PRESENT_MS = Date.UTC(2026, 0, 1)

export type AuthorityOptions = { dir: string; name: string; commonName: string }
export type Sources = { clock: Clock; random: Random }

/**
 * Reads the authority `name` from `NAME.crt` and `NAME.key` in `dir`, or makes it. Throws
 * `UserError` when there is half of one, or two halves that do not fit.
 */
export async function ensureAuthority(
  { dir, name, commonName }: AuthorityOptions,
  sources: Sources,
): Promise<Authority> {
  const files = { certificate: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  const certificatePem = await readFileIfAny(files.certificate)
  const key = await ensureKey(files.key, certificatePem === undefined)
  if (certificatePem !== undefined) {
    const authority = { certificatePem, key }
    if (isOwn(authority)) return authority
    throw new UserError(`${files.certificate} and ${files.key} do not belong together`)
  }
  const made = { certificatePem: await makeAuthority(commonName, key, sources), key }
  await writeFileAtomic(files.certificate, made.certificatePem)
  return made
}

/** Reads a private key, or makes it where that is allowed. */
export async function ensureKey(path: string, mayMake: boolean): Promise<Key> {
  const privatePem = await readFileIfAny(path)
  if (privatePem !== undefined) return readKey(privatePem, path)
  if (!mayMake) throw new UserError(`${path} is missing: restore it from a backup`)
  const key = generateKey()
  await writeFileAtomic(path, key.privatePem)
  return key
}

export function authorityValidity(nowMs: number): Validity {
  return {
    notBeforeMs: Math.min(nowMs, EPOCH_MS),
    notAfterMs: soundNow(nowMs) + LIFE_MS,
  }
}

/** The time by the clock, or the youngest it can be when the clock is evidently wrong. */
export function soundNow(nowMs: number): number {
  return Math.max(nowMs, PRESENT_MS)
}

function makeAuthority(commonName: string, key: Key, { clock, random }: Sources): Promise<string> {
  return issueCertificate(
    {
      subject: { commonName },
      publicKey: key.public,
      validity: authorityValidity(clock.nowMs()),
      usages: ['digital signature', 'key encipherment', 'cert sign'],
      isAuthority: true,
    },
    { selfKey: key },
    random,
  )
}

function isOwn(authority: Authority): boolean {
  try {
    return isIssuedBy(authority.certificatePem, authority, authority.key)
  } catch {
    // What is no certificate at all belongs to no key either; the caller names the file.
    return false
  }
}
