// Who a certificate speaks of: the subject, and the names a server answers to.

import { formatIp, type Ip, parseIp } from '../lib/ip.ts'
import {
  child,
  DerError,
  decode,
  type Element,
  encode,
  objectId,
  octetString,
  readObjectId,
  readText,
  sequence,
  TAG,
  utf8String,
} from './der.ts'

/** Kubernetes reads a user name and groups from these. */
export type Subject = { commonName: string; organizations?: readonly string[] }

/** What a server is called. */
export type ServerNames = { dns: readonly string[]; ips: readonly string[] }

/** Alternative names as found; of the kinds that nobody uses here only the number. */
export type FoundNames = { dns: string[]; ips: string[]; emailCount: number; uriCount: number }

const COMMON_NAME = '2.5.4.3'
const ORGANIZATION = '2.5.4.10'
const SUBJECT_ALT_NAME = '2.5.29.17'
/** Context-specific tags of GeneralName. */
const NAME_TAG = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const

/** DER of the Name; organizations come first, as in the certificates of upstream. */
export function encodeSubject({ commonName, organizations = [] }: Subject): Uint8Array {
  const attribute = (oid: string, text: string) => sequence(objectId(oid), utf8String(text))
  const members = organizations.map((organization) => attribute(ORGANIZATION, organization))
  return sequence(
    ...(members.length > 0 ? [encode(TAG.set, ...members.toSorted(Buffer.compare))] : []),
    encode(TAG.set, attribute(COMMON_NAME, commonName)),
  )
}

export function readSubject(name: Element): Required<Subject> {
  const found = { commonName: '', organizations: [] as string[] }
  for (const attribute of name.children.flatMap((rdn) => rdn.children)) {
    const type = readObjectId(child(attribute, 0))
    if (type === COMMON_NAME) found.commonName = readText(child(attribute, 1))
    if (type === ORGANIZATION) found.organizations.push(readText(child(attribute, 1)))
  }
  return found
}

/** DER of the extension, or nothing when there are no names. */
export function encodeServerNames({ dns, ips }: ServerNames): Uint8Array[] {
  if (dns.length + ips.length === 0) return []
  const names = [
    ...dns.map((name) => encode(NAME_TAG.dns, Buffer.from(name, 'latin1'))),
    ...ips.map((ip) => encode(NAME_TAG.ip, ipBytes(ip))),
  ]
  return [sequence(objectId(SUBJECT_ALT_NAME), octetString(sequence(...names)))]
}

/** Reads the alternative names out of a list of extensions, which may be missing. */
export function readServerNames(extensions: Element | undefined): FoundNames {
  const found: FoundNames = { dns: [], ips: [], emailCount: 0, uriCount: 0 }
  const extension = extensions?.children.find(
    (candidate) => readObjectId(child(candidate, 0)) === SUBJECT_ALT_NAME,
  )
  const value = extension?.children.at(-1)
  for (const name of value ? decode(value.content).children : []) {
    if (name.tag === NAME_TAG.dns) found.dns.push(Buffer.from(name.content).toString('latin1'))
    if (name.tag === NAME_TAG.ip) found.ips.push(ipText(name.content))
    if (name.tag === NAME_TAG.email) found.emailCount++
    if (name.tag === NAME_TAG.uri) found.uriCount++
  }
  return found
}

function ipBytes(text: string): Uint8Array {
  const ip = parseIp(text)
  if (ip === undefined) throw new DerError(`not an IP address: ${text}`)
  const digits = ip.value.toString(16).padStart(ip.family === 4 ? 8 : 32, '0')
  return Buffer.from(digits, 'hex')
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length !== 4 && bytes.length !== 16) throw new DerError('an IP address of odd length')
  const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  const ip: Ip = { family: bytes.length === 4 ? 4 : 6, value }
  return formatIp(ip)
}
