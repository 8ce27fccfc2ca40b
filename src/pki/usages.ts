// What a key may be used for, in the words of Kubernetes' certificates API.

import { own } from '../lib/own.ts'
import type { Extension, X509 } from './x509.ts'

/** RFC 5280, 4.2.1.3. */
const KEY_USAGES: Record<string, keyof X509['KeyUsageFlags']> = {
  signing: 'digitalSignature',
  'digital signature': 'digitalSignature',
  'content commitment': 'nonRepudiation',
  'key encipherment': 'keyEncipherment',
  'data encipherment': 'dataEncipherment',
  'key agreement': 'keyAgreement',
  'cert sign': 'keyCertSign',
  'crl sign': 'cRLSign',
  'encipher only': 'encipherOnly',
  'decipher only': 'decipherOnly',
}

/** RFC 5280, 4.2.1.12. */
const EXTENDED_USAGE_IDS: Record<string, string> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
}

/** The extensions for `usages`. Words that are no usage are passed over. */
export function usageExtensions(x509: X509, usages: readonly string[]): Extension[] {
  const keyUsages = usages
    .map((word) => own(KEY_USAGES, word))
    .filter((usage) => usage !== undefined)
  const ids = usages.map((word) => own(EXTENDED_USAGE_IDS, word)).filter((id) => id !== undefined)
  const flags = keyUsages.reduce((sum, usage) => sum | x509.KeyUsageFlags[usage], 0)
  return [
    ...(flags === 0 ? [] : [new x509.KeyUsagesExtension(flags, true)]),
    ...(ids.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...new Set(ids)])]),
  ]
}
