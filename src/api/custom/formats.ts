// Formats of strings, as upstream checks them (kube-openapi/pkg/validation/strfmt). Dashes in their
// names do not count, and a format that is not here says nothing.

import { parseCidr, parseIp } from '../../lib/ip.ts'
import { canonicalBase64 } from '../codec/base64.ts'
import { dnsLabelFaults, dnsSubdomainFaults } from '../names.ts'
import type { Props } from './schema.ts'

type Check = (text: string) => boolean

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text)
const digits = (text: string) => text.replace(/[\s-]/g, '')

const LABELS_OCTETS_MAX = 255

const CHECKS = new Map<string, Check>([
  ['bsonobjectid', matches(/^[0-9a-fA-F]{24}$/)],
  ['uri', isRequestUri],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', (text) => parseIp(text)?.family === 4],
  ['ipv6', (text) => text.includes(':') && parseIp(text)?.family === 6],
  ['cidr', (text) => parseCidr(text) !== undefined],
  ['mac', matches(/^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}((\1[0-9a-f]{2}){2})?$/i)],
  ['uuid', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid3', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid4', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['uuid5', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', (text) => /^\d{12,19}$/.test(digits(text)) && isLuhn(digits(text))],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', isRgb],
  ['byte', (text) => text !== '' && canonicalBase64(text) !== undefined],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['k8sshortname', (text) => dnsLabelFaults(text).length === 0],
  ['k8slongname', (text) => dnsSubdomainFaults(text).length === 0],
])

const normal = (format: string) => format.replaceAll('-', '')

/** The format that is checked of values of this schema, if any. */
export function formatOf({ type, format, ...schema }: Props): string | undefined {
  if (!format) return undefined
  if (schema['x-kubernetes-int-or-string']) return undefined
  return isKnown(type, format) ? format : undefined
}

export function isKnown(type: string | undefined, format: string): boolean {
  switch (type ?? '') {
    case '':
    case 'string':
      return CHECKS.has(normal(format))
    case 'integer':
      return format === 'int32' || format === 'int64'
    case 'number':
      return format === 'float' || format === 'double'
    default:
      return false
  }
}

/** True for a format that strings do not have, too. */
export function fitsFormat(text: string, format: string): boolean {
  return CHECKS.get(normal(format))?.(text) ?? true
}

function isRequestUri(text: string): boolean {
  return /^(\/|[a-zA-Z][a-zA-Z0-9+.-]*:.)/.test(text) && !/[\s]|%(?![0-9a-fA-F]{2})/.test(text)
}

/** One address, perhaps with a name before it. */
function isEmail(text: string): boolean {
  const address = /^[^<>]*<([^<>\s]+)>$/.exec(text)?.[1] ?? text
  return /^[^\s@<>(),;:\\"[\]]+@[^\s@<>(),;:\\"]+$/.test(address) && !/\.\.|^\.|\.@/.test(address)
}

function isHostname(text: string): boolean {
  if (text.length > LABELS_OCTETS_MAX || text === '') return false
  const labels = text.split('.')
  if (labels.length > 1 && !/^[a-zA-Z\p{L}]{2,63}$/u.test(labels.at(-1)!)) return false
  return labels.every((label) =>
    /^[a-zA-Z0-9\p{S}\p{L}]([a-zA-Z0-9\p{S}\p{L}-]{0,61}[a-zA-Z0-9\p{S}\p{L}])?$/u.test(label),
  )
}

function isIsbn10(text: string): boolean {
  const signs = digits(text)
  if (!/^\d{9}[\dX]$/.test(signs)) return false
  const sum = [...signs].reduce((all, sign, i) => all + (sign === 'X' ? 10 : +sign) * (10 - i), 0)
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const signs = digits(text)
  if (!/^\d{13}$/.test(signs)) return false
  return [...signs].reduce((all, sign, i) => all + +sign * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
}

function isLuhn(signs: string): boolean {
  const sum = [...signs].reverse().reduce((all, sign, i) => {
    const value = +sign * (i % 2 === 0 ? 1 : 2)
    return all + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

function isRgb(text: string): boolean {
  const parts = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text)
  return parts?.slice(1).every((part) => +part <= 255) ?? false
}

function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (parts === null) return false
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

function isDateTime(text: string): boolean {
  const parts = /^(\d{4}-\d\d-\d\d)[tT](\d\d):(\d\d):(\d\d)(?:\.\d+)?([zZ]|[+-]\d\d:\d\d)$/.exec(
    text,
  )
  if (parts === null || !isDate(parts[1]!)) return false
  return +parts[2]! <= 23 && +parts[3]! <= 59 && +parts[4]! <= 59
}

/** Go's, or a number with the name of a unit. */
function isDuration(text: string): boolean {
  if (/^[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return true
  const words = 'ns|nano|us|µs|micro|ms|milli|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week'
  return new RegExp(`^(\\d+)\\s*(${words})s?$`, 'i').test(text)
}
