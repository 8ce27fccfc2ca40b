// What a key may be used for, in the words of Kubernetes' certificates API.

import { bitString, encode, objectId, octetString, sequence, TAG } from './der.ts'

/** Bits of RFC 5280, 4.2.1.3, counted from the most significant. */
const KEY_USAGE_BITS: Record<string, number> = {
  signing: 0,
  'digital signature': 0,
  'content commitment': 1,
  'key encipherment': 2,
  'data encipherment': 3,
  'key agreement': 4,
  'cert sign': 5,
  'crl sign': 6,
  'encipher only': 7,
  'decipher only': 8,
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

/** DER of the extensions for `usages`. Words that are no usage are passed over. */
export function encodeUsages(usages: readonly string[]): Uint8Array[] {
  const bits = usages.map((word) => KEY_USAGE_BITS[word]).filter((bit) => bit !== undefined)
  const ids = usages.map((word) => EXTENDED_USAGE_IDS[word]).filter((id) => id !== undefined)
  const extensions: Uint8Array[] = []
  if (bits.length > 0) extensions.push(keyUsageExtension(bits))
  if (ids.length > 0) {
    const list = sequence(...[...new Set(ids)].map(objectId))
    extensions.push(sequence(objectId('2.5.29.37'), octetString(list)))
  }
  return extensions
}

function keyUsageExtension(bits: readonly number[]): Uint8Array {
  const highest = Math.max(...bits)
  const bytes = new Uint8Array(Math.floor(highest / 8) + 1)
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  // DER drops trailing zero bits.
  const value = bitString(bytes, 7 - (highest & 7))
  return sequence(objectId('2.5.29.15'), critical(), octetString(value))
}

/** The mark of an extension that must be understood. */
export function critical(): Uint8Array {
  return encode(TAG.boolean, Uint8Array.of(0xff))
}
