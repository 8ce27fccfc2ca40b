import { expect, test } from 'bun:test'
import {
  checkCidr,
  checkEndpointIp,
  checkIp,
  cidrWarnings,
  familyOf,
  ipWarnings,
} from './addresses.ts'
import { FieldErrors } from './field-errors.ts'

const faultsOf = (check: (faults: FieldErrors) => void) => {
  const faults = new FieldErrors()
  check(faults)
  return faults.list.map(({ message }) => message)
}
const ip = (text: string, old?: string[]) => faultsOf((faults) => checkIp(faults, 'a', text, old))
const cidr = (text: string) => faultsOf((faults) => checkCidr(faults, 'a', text))
const endpoint = (text: string) => faultsOf((faults) => checkEndpointIp(faults, 'a', text))

test('addresses are taken in their plain form', () => {
  expect(ip('10.0.0.1')).toEqual([])
  expect(ip('fd00::1')).toEqual([])
  expect(ip('10.0.0')[0]).toContain('must be a valid IP address')
  expect(ip('010.0.0.1')[0]).toEndWith('must not have leading 0s')
  expect(ip('::ffff:10.0.0.1')[0]).toEndWith('must not be an IPv4-mapped IPv6 address')
})

test('what stands already may stay as it is written', () => {
  expect(ip('010.0.0.1', ['010.0.0.1'])).toEqual([])
})

test('ranges begin at their own base', () => {
  expect(cidr('10.0.0.0/8')).toEqual([])
  expect(cidr('10.0.0.1/8')[0]).toEndWith('must not have bits set beyond the prefix length')
  expect(cidr('10.0.0.0/08')[0]).toEndWith('must not have leading 0s in IP or prefix length')
  expect(cidr('10.0.0.0')[0]).toContain('must be a valid CIDR value')
})

test('endpoints are none of the addresses that nobody else can reach', () => {
  expect(endpoint('10.0.0.1')).toEqual([])
  expect(endpoint('0.0.0.0')[0]).toEndWith('may not be unspecified (0.0.0.0)')
  expect(endpoint('127.0.0.9')[0]).toContain('loopback range')
  expect(endpoint('::1')[0]).toContain('loopback range')
  expect(endpoint('169.254.1.1')[0]).toContain('link-local range')
  expect(endpoint('224.0.0.5')[0]).toContain('link-local multicast range')
})

test('forms that are going to be refused are warned of', () => {
  expect(ipWarnings('a', 'FD00::1')[0]).toContain('should be in RFC 5952 canonical format')
  expect(ipWarnings('a', '10.0.0.1')).toEqual([])
  expect(cidrWarnings('a', 'FD00::/64')[0]).toContain('("fd00::/64")')
  expect(cidrWarnings('a', '10.0.0.0/8')).toEqual([])
})

test('the family of an address', () => {
  expect(familyOf('10.0.0.1')).toBe(4)
  expect(familyOf('::ffff:10.0.0.1')).toBe(4)
  expect(familyOf('fd00::1')).toBe(6)
  expect(familyOf('x')).toBeUndefined()
})

test('ranges that were taken long ago are warned of in each way that they are odd', () => {
  const odd = (text: string) => cidrWarnings('a', text).map((warning) => warning.slice(3))
  const non = (text: string, better: string) =>
    `non-standard CIDR value "${text}" is invalid: use "${better}"`
  const ambiguous = (text: string, wide: string, single: string) =>
    `CIDR value "${text}" is ambiguous in this context (should be "${wide}" or "${single}"?)`
  expect(odd('010.0.0.0/8')).toEqual([non('010.0.0.0/8', '10.0.0.0/8')])
  expect(odd('10.0.0.0/08')).toEqual([non('10.0.0.0/08', '10.0.0.0/8')])
  expect(odd('10.0.0.1/8')).toEqual([ambiguous('10.0.0.1/8', '10.0.0.0/8', '10.0.0.1/32')])
  expect(odd('fd00::1/64')).toEqual([ambiguous('fd00::1/64', 'fd00::/64', 'fd00::1/128')])
  expect(odd('x')).toEqual([])
})
