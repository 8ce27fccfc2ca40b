// The one line that a new box needs: whom to trust, and a secret to be trusted by.
//
//   K10 <sha256 of the authority's certificate> :: <id> : <secret>
//
// Id and secret are a Kubernetes bootstrap token; written with a dot they authenticate at the API.
// The hash is over the bytes of the file as the server hands it out, so that a joining box can
// check the file it gets over a connection that it cannot trust yet.

import { timingSafeEqual } from 'node:crypto'
import type { Random } from '../lib/random.ts'
import { UserError } from '../lib/user-error.ts'
import { sha256 } from './keys.ts'

export type BootstrapToken = { id: string; secret: string }
export type JoinToken = BootstrapToken & { caHash: string }

const PREFIX = 'K10'
const ID = /^[a-z0-9]{6}$/
const SECRET = /^[a-z0-9]{16}$/
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

export function formatJoinToken({ caHash, id, secret }: JoinToken): string {
  return `${PREFIX}${caHash}::${id}:${secret}`
}

/** Throws `UserError` that says what is wrong with the text of `--token`. */
export function parseJoinToken(text: string): JoinToken {
  const [caHash = '', login, ...rest] = text.slice(PREFIX.length).split('::')
  if (!text.startsWith(PREFIX)) throw bad(`it must start with "${PREFIX}"`)
  if (login === undefined || rest.length > 0) {
    throw bad('it must have one "::" between the hash and the secret')
  }
  if (!/^[0-9a-f]{64}$/.test(caHash)) throw bad('its hash must be 64 hexadecimal digits')
  const [id = '', secret, ...more] = login.split(':')
  if (secret === undefined || more.length > 0) throw bad('it must end in <id>:<secret>')
  if (!ID.test(id)) throw bad('its id must be 6 of a-z and 0-9')
  if (!SECRET.test(secret)) throw bad('its secret must be 16 of a-z and 0-9')
  return { caHash, id, secret }
}

/** A new secret for joining the cluster with that certificate of its authority. */
export function createJoinToken(random: Random, caPem: string): JoinToken {
  return { caHash: hashOfCa(caPem), ...createBootstrapToken(random) }
}

/** Parses `id.secret`, as it comes in an Authorization header; undefined when it is none. */
export function parseBootstrapToken(text: string): BootstrapToken | undefined {
  const [id = '', secret = '', ...rest] = text.split('.')
  return rest.length === 0 && ID.test(id) && SECRET.test(secret) ? { id, secret } : undefined
}

/** The id that a text names: the id itself, or either form of a whole token. */
export function tokenIdOf(text: string): string | undefined {
  if (ID.test(text)) return text
  if (!text.startsWith(PREFIX)) return parseBootstrapToken(text)?.id
  const [, login = ''] = text.split('::')
  const [id = ''] = login.split(':')
  return ID.test(id) ? id : undefined
}

export function formatBootstrapToken({ id, secret }: BootstrapToken): string {
  return `${id}.${secret}`
}

function createBootstrapToken(random: Random): BootstrapToken {
  return { id: letters(random, 6), secret: letters(random, 16) }
}

/** Hexadecimal. `caPem` is the file exactly as the server hands it out. */
export function hashOfCa(caPem: string): string {
  return sha256(caPem).toString('hex')
}

/** Compares in a time that does not depend on where the texts differ. */
export function isSameSecret(a: string, b: string): boolean {
  // Hashed first, as the comparison wants equal lengths and must not tell them.
  return timingSafeEqual(sha256(a), sha256(b))
}

function letters(random: Random, count: number): string {
  let text = ''
  while (text.length < count) {
    const [byte] = random.bytes(1)
    // 252 is the highest multiple of 36 in a byte: beyond it some letters would be likelier.
    if (byte! < 252) text += LETTERS[byte! % LETTERS.length]
  }
  return text
}

function bad(reason: string): UserError {
  return new UserError(`--token: ${reason}: copy all of what kedge token create printed`)
}
