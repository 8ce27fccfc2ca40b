// Who a certificate speaks of: the subject, and the names a server answers to.

import { formatIp, parseIp } from '../lib/ip.ts'
import type { Extension, Name, X509 } from './x509.ts'

/** Kubernetes reads a user name and groups from these. */
export type Subject = { commonName: string; organizations?: readonly string[] }

/** What a server is called. */
export type ServerNames = { dns: readonly string[]; ips: readonly string[] }

/** Alternative names as found; of the kinds that nobody uses here only the number. */
export type FoundNames = { dns: string[]; ips: string[]; emailCount: number; uriCount: number }

/** Organizations come first, as in the certificates of upstream. */
export function subjectName(x509: X509, { commonName, organizations = [] }: Subject): Name {
  // Given by its type, a text stays as it is; any other is searched for escapes.
  const members = organizations.toSorted(compareEncoded).map((text) => ({ utf8String: text }))
  return new x509.Name([
    ...(members.length > 0 ? [{ O: members }] : []),
    { CN: [{ utf8String: commonName }] },
  ])
}

/** DER wants the members of a set in the order of their encoding, where the length comes first. */
function compareEncoded(a: string, b: string): number {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length - right.length || Buffer.compare(left, right)
}

/** The subject that a name stands for. Of several common names the last counts, as in Go. */
export function subjectOf(name: Name): Required<Subject> {
  return {
    commonName: name.getField('CN').at(-1) ?? '',
    organizations: name.getField('O'),
  }
}

/** The extension, or nothing when there are no names. */
export function nameExtensions(x509: X509, { dns, ips }: ServerNames): Extension[] {
  if (dns.length + ips.length === 0) return []
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((text) => ({ type: 'ip' as const, value: plainIp(text) })),
  ]
  return [new x509.SubjectAlternativeNameExtension(names)]
}

/** The alternative names in an extension, which may be missing. */
export function foundNames(x509: X509, extension: Extension | null): FoundNames {
  const isNames = extension instanceof x509.SubjectAlternativeNameExtension
  const names = isNames ? extension.names.items : []
  const valuesOf = (type: string) =>
    names.filter((name) => name.type === type).map(({ value }) => value)
  return {
    dns: valuesOf('dns'),
    ips: valuesOf('ip').map(plainIp),
    emailCount: valuesOf('email').length,
    uriCount: valuesOf('url').length,
  }
}

/** The one way to write that address. Throws when it is none. */
export function plainIp(text: string): string {
  const ip = parseIp(text)
  if (ip === undefined) throw new Error(`not an IP address: ${text}`)
  return formatIp(ip)
}
