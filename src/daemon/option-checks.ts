// What the value of an option must look like. A check says how to mend a wrong value, and nothing
// when it is fine. Pure: whether the value fits this machine is for `preflight.ts`.

import { labelValueFaults, qualifiedNameFaults } from '../api/names.ts'
import { sysctlPatternProblem } from '../api/pod/sysctls.ts'
import { contains, parseCidr, parseIp } from '../lib/ip.ts'

type Value = string | number

export function absolute(value: Value): string | undefined {
  return String(value).startsWith('/') ? undefined : 'give an absolute path'
}

export function port(value: Value): string | undefined {
  const number = Number(value)
  const ok = Number.isInteger(number) && number >= 1 && number <= 65535
  return ok ? undefined : 'give a port from 1 to 65535'
}

export function address(value: Value): string | undefined {
  return parseIp(String(value)) ? undefined : 'give an IP address'
}

/** What nobody else can reach: this network, loopback, link-local, multicast and beyond. */
const UNREACHABLE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(
  (text) => parseCidr(text)!,
)

/** An address that other machines reach this one at. */
export function hostAddress(value: Value): string | undefined {
  const ip = parseIp(String(value))
  if (ip?.family !== 4) return 'give an IPv4 address'
  return UNREACHABLE.some((range) => contains(range, ip))
    ? 'give an IPv4 address that other machines reach'
    : undefined
}

export function cidr(value: Value): string | undefined {
  const range = parseCidr(String(value))
  if (range === undefined) return 'give a range such as 10.42.0.0/16'
  return range.family === 4 && range.prefix <= 24
    ? undefined
    : 'give an IPv4 range of /24 or larger'
}

export function nodeName(value: Value): string | undefined {
  const ok = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(String(value)) && String(value).length <= 63
  return ok ? undefined : 'give lower case letters, digits, dots and dashes, at most 63'
}

export function domain(value: Value): string | undefined {
  const ok = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
  return ok.test(String(value)) ? undefined : 'give a DNS domain such as cluster.local'
}

/** What a certificate can be for: a name or an address. */
export function serverName(value: Value): string | undefined {
  const isFine = parseIp(String(value)) !== undefined || domain(value) === undefined
  return isFine ? undefined : 'give a DNS name or an IP address'
}

export function portRange(value: Value): string | undefined {
  const [low, high, ...more] = String(value).split('-').map(Number)
  const ok = port(low ?? 0) === undefined && port(high ?? 0) === undefined && low! < high!
  return ok && more.length === 0 ? undefined : 'give a range such as 30000-32767'
}

export function fileMode(value: Value): string | undefined {
  return /^0?[0-7]{3}$/.test(String(value)) ? undefined : 'give an octal mode such as 0600'
}

export function serverUrl(value: Value): string | undefined {
  const url = URL.parse(String(value))
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === ''
  return url?.protocol === 'https:' && isBare && url.username === ''
    ? undefined
    : 'give an address such as https://192.168.1.10:6443'
}

export function label(value: Value): string | undefined {
  const [key, text] = parts(String(value), '=')
  const isFine = text !== undefined && qualifiedNameFaults(key).length === 0
  return isFine && labelValueFaults(text).length === 0 ? undefined : 'give a label such as disk=ssd'
}

export function taint(value: Value): string | undefined {
  const [what, effect] = parts(String(value), ':')
  const [key, text = ''] = parts(what, '=')
  const isFine = qualifiedNameFaults(key).length === 0 && labelValueFaults(text).length === 0
  return isFine && ['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(effect ?? '')
    ? undefined
    : 'give key=value:NoSchedule, PreferNoSchedule or NoExecute'
}

export function sysctlPattern(value: Value): string | undefined {
  const isFine = sysctlPatternProblem(String(value)) === undefined
  return isFine ? undefined : 'give a sysctl of the network or of IPC, such as net.core.somaxconn'
}

export function oneOf(...words: string[]) {
  return (value: Value) =>
    words.includes(String(value)) ? undefined : `give one of ${words.join(', ')}`
}

function parts(text: string, sign: string): [string, string | undefined] {
  const at = text.indexOf(sign)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}
