// Addresses and ranges in fields that were once read loosely, as strictly as 1.36 takes them
// (apimachinery/pkg/util/validation/ip.go, gate StrictIPCIDRValidation).

import {
  type Cidr,
  formatCidr,
  formatIp,
  isMapped,
  parseCidr,
  parseIp,
  unmapped,
} from '../../lib/ip.ts'
import type { FieldErrors } from './field-errors.ts'

const NO_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
const NO_CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

/** `old` holds addresses that stand already and may stay, however they are written. */
export function checkIp(
  faults: FieldErrors,
  at: string,
  text: string,
  old: readonly string[] = [],
): boolean {
  if (old.includes(text)) return true
  const ip = parseIp(withoutLeadingZeros(text))
  if (ip === undefined) faults.invalid(at, text, NO_IP)
  else if (parseIp(text) === undefined) faults.invalid(at, text, 'must not have leading 0s')
  else if (isMapped(ip)) faults.invalid(at, text, 'must not be an IPv4-mapped IPv6 address')
  else return true
  return false
}

export function checkCidr(
  faults: FieldErrors,
  at: string,
  text: string,
  old: readonly string[] = [],
) {
  if (old.includes(text)) return
  const [address = '', bits = ''] = text.split('/')
  const sloppy = parseCidrLoosely(text)
  const ip = parseIp(address)
  if (sloppy === undefined) faults.invalid(at, text, NO_CIDR)
  else if (ip === undefined || /^0\d/.test(bits)) {
    faults.invalid(at, text, 'must not have leading 0s in IP or prefix length')
  } else if (isMapped(ip)) {
    faults.invalid(at, text, 'must not have an IPv4-mapped IPv6 address')
  } else if (sloppy.base !== ip.value) {
    faults.invalid(at, text, 'must not have bits set beyond the prefix length')
  }
}

/** With zeros in front of numbers too, as such ranges were once taken. */
export function parseCidrLoosely(text: string): Cidr | undefined {
  const [address = '', bits = '', ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  return parseCidr(`${withoutLeadingZeros(address)}/${bits.replace(/^0+(?=\d)/, '')}`)
}

/** What can be neither reached nor given to a service; also for external addresses. */
export function checkEndpointIp(faults: FieldErrors, at: string, text: string) {
  const ip = parseIp(withoutLeadingZeros(text))
  if (ip === undefined) return faults.invalid(at, text, 'must be a valid IP address')
  const plain = unmapped(ip)
  if (plain.value === 0n) faults.invalid(at, text, `may not be unspecified (${text})`)
  for (const [family, base, prefix, detail] of SPECIAL) {
    const shift = BigInt((family === 4 ? 32 : 128) - prefix)
    if (plain.family === family && plain.value >> shift === base >> shift) {
      faults.invalid(at, text, detail)
    }
  }
}

const LOOPBACK = 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
const LINK_LOCAL = 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
const MULTICAST = 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
const SPECIAL: readonly (readonly [4 | 6, bigint, number, string])[] = [
  [4, 0x7f00_0000n, 8, LOOPBACK],
  [6, 1n, 128, LOOPBACK],
  [4, 0xa9fe_0000n, 16, LINK_LOCAL],
  [6, 0xfe80n << 112n, 10, LINK_LOCAL],
  [4, 0xe000_0000n, 24, MULTICAST],
  [6, 0xff02n << 112n, 16, MULTICAST],
]

/** Says how an address that is accepted should be written instead. */
export function ipWarnings(at: string, text: string): string[] {
  const ip = parseIp(withoutLeadingZeros(text))
  if (ip === undefined) return []
  if (parseIp(text) === undefined || isMapped(ip)) {
    const better = formatIp(unmapped(ip))
    return [`${at}: non-standard IP address "${text}" is invalid: use "${better}"`]
  }
  const canonical = formatIp(ip)
  if (ip.family === 4 || canonical === text) return []
  return [`${at}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`]
}

export function cidrWarnings(at: string, text: string): string[] {
  const cidr = parseCidrLoosely(text)
  if (cidr === undefined) return []
  const better = formatCidr(cidr)
  const [address = '', bits = ''] = text.split('/')
  const ip = parseIp(withoutLeadingZeros(address))!
  const warnings: string[] = []
  if (ip.value !== cidr.base) {
    const single = `${formatIp(unmapped(ip))}/${ip.family === 4 ? 32 : 128}`
    const choice = `should be "${better}" or "${single}"?`
    warnings.push(`${at}: CIDR value "${text}" is ambiguous in this context (${choice})`)
  }
  if (parseIp(address) === undefined || /^0\d/.test(bits) || isMapped(ip)) {
    warnings.push(`${at}: non-standard CIDR value "${text}" is invalid: use "${better}"`)
  }
  if (warnings.length > 0 || ip.family === 4 || better === text) return warnings
  return [`${at}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${better}")`]
}

/** Nobody can tell the families apart when one of `texts` is no address. */
export function checkFamiliesReadable(
  faults: FieldErrors,
  at: string,
  texts: readonly string[],
): boolean {
  const broken = texts.findIndex((text) => familyOf(text) === undefined)
  if (broken < 0) return true
  const why = `invalid IP[${broken}]: ${texts[broken]}`
  faults.internal(at, `failed to check for dual stack with error:${why}`)
  return false
}

export function familyOf(text: string): 4 | 6 | undefined {
  const ip = parseIp(withoutLeadingZeros(text))
  return ip && unmapped(ip).family
}

function withoutLeadingZeros(text: string): string {
  return text.includes(':') ? text : text.replace(/(^|\.)0+(?=\d)/g, '$1')
}
