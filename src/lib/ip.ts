// Addresses and ranges as values. IPv4 is a number, IPv6 a bigint; text only at the edge.

export type Family = 4 | 6
export type Ip = { family: Family; value: bigint }
export type Cidr = { family: Family; base: bigint; prefix: number }

/** Parses dotted IPv4 (no leading zeros) or IPv6; undefined when it is neither. */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return { family: 4, value: v4 }
  const v6 = parseIpv6(text)
  return v6 === undefined ? undefined : { family: 6, value: v6 }
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = (value << 8n) | BigInt(part)
  }
  return value
}

function parseIpv6(text: string): bigint | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return undefined
  const halves = expandTail(text)?.split('::')
  if (halves === undefined || halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array(halves.length === 2 ? missing : 0).fill('0'), ...tail]
  let value = 0n
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
    value = (value << 16n) | BigInt(`0x${group}`)
  }
  return value
}

/** Rewrites a dotted IPv4 tail as two groups. */
function expandTail(text: string): string | undefined {
  if (!text.includes('.')) return text
  const at = text.lastIndexOf(':')
  const v4 = parseIpv4(text.slice(at + 1))
  if (at < 0 || v4 === undefined) return undefined
  return `${text.slice(0, at + 1)}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`
}

/** Canonical text: IPv6 lower case with the longest run of zeros cut (RFC 5952). */
export function formatIp(ip: Ip): string {
  if (ip.family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => (ip.value >> shift) & 255n).join('.')
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((ip.value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  )
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)]
  const longest = runs.toSorted((a, b) => b[0].length - a[0].length)[0]
  if (longest === undefined) return groups.join(':')
  const text = groups.join(':')
  const before = text.slice(0, longest.index)
  const after = text.slice(longest.index + longest[0].length)
  return `${before}::${after.replace(/^:/, '')}`
}

/** Parses `address/prefix`; host bits are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, bits, ...rest] = text.split('/')
  const ip = parseIp(address ?? '')
  if (ip === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(bits ?? '')) {
    return undefined
  }
  const prefix = Number(bits)
  const width = ip.family === 4 ? 32 : 128
  if (prefix > width) return undefined
  const shift = BigInt(width - prefix)
  return { family: ip.family, base: (ip.value >> shift) << shift, prefix }
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`
}

/** Number of addresses in the range. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt((cidr.family === 4 ? 32 : 128) - cidr.prefix)
}

export function contains(cidr: Cidr, ip: Ip): boolean {
  return ip.family === cidr.family && ip.value >= cidr.base && ip.value < cidr.base + sizeOf(cidr)
}

/** The address `offset` places after the start of the range. */
export function addressAt(cidr: Cidr, offset: number | bigint): Ip {
  return { family: cidr.family, value: cidr.base + BigInt(offset) }
}

/** Is it an IPv4 address written as IPv6: `::ffff:10.0.0.1`? */
export function isMapped({ family, value }: Ip): boolean {
  return family === 6 && value >> 32n === 0xffffn
}

/** An IPv4 address that is written as IPv6, as what it is; any other as it stands. */
export function unmapped(ip: Ip): Ip {
  return isMapped(ip) ? { family: 4, value: ip.value & 0xffff_ffffn } : ip
}

const NOT_GLOBAL = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'],
  ...['::/128', '::1/128', 'fe80::/10', 'ff00::/8'],
].map((text) => parseCidr(text)!)

/**
 * One machine, somewhere else: not this machine (unspecified, loopback), not what only one network
 * segment knows (link-local), not several (multicast, broadcast). In whichever way it is written.
 */
export function isGlobalUnicast(ip: Ip): boolean {
  const meant = unmapped(ip)
  return !NOT_GLOBAL.some((range) => contains(range, meant))
}
