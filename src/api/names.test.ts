import { expect, test } from 'bun:test'
import {
  configKeyFaults,
  dnsLabelFaults,
  dnsSubdomainFaults,
  environmentNameFaults,
  isDnsLabelName,
  isPathSegmentName,
  labelValueFaults,
  portNameFaults,
  qualifiedNameFaults,
  wildcardSubdomainFaults,
} from './names.ts'

const LONG = 'a'.repeat(64)

test('good names have no faults', () => {
  expect(dnsLabelFaults('a-1')).toEqual([])
  expect(dnsSubdomainFaults('a.b-c.1')).toEqual([])
  expect(qualifiedNameFaults('example.com/My_name.x')).toEqual([])
  expect(labelValueFaults('')).toEqual([])
  expect(configKeyFaults('a..b_C')).toEqual([])
  expect(environmentNameFaults('a b*')).toEqual([])
  expect(portNameFaults('http-2')).toEqual([])
})

test('faults are the sentences of upstream', () => {
  const label =
    'a lowercase RFC 1123 label must consist of lower case alphanumeric characters or' +
    " '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'," +
    " regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
  expect(dnsLabelFaults('A')).toEqual([label])
  expect(dnsLabelFaults('a.b')).toEqual(['must not contain dots'])
  expect(dnsLabelFaults(LONG)).toEqual(['must be no more than 63 characters'])
  expect(qualifiedNameFaults(`x/${LONG}`)).toEqual(['name part must be no more than 63 bytes'])
  expect(qualifiedNameFaults('/a')).toEqual(['prefix part must be non-empty'])
  expect(labelValueFaults('-')[0]).toStartWith(
    'a valid label must be an empty string or consist of',
  )
  expect(configKeyFaults('..')).toEqual(["must not be '..'"])
  expect(configKeyFaults('..a')).toEqual(["must not start with '..'"])
  expect(portNameFaults('1-')).toEqual([
    'must contain at least one letter (a-z)',
    'must not begin or end with a hyphen',
  ])
  expect(environmentNameFaults('a=b')).toEqual([
    'a valid environment variable name must consist only of printable ASCII characters other' +
      " than '='",
  ])
})

test('a prefix of a generated name may end with a dash', () => {
  expect(isDnsLabelName('web-', true)).toEqual([])
  expect(isDnsLabelName('web-', false)).toHaveLength(1)
})

test('a name of a role is anything that fits into a path', () => {
  expect(isPathSegmentName('system:a B', false)).toEqual([])
  expect(isPathSegmentName('..', false)).toEqual(["may not be '..'"])
  expect(isPathSegmentName('a/b%', false)).toEqual(["may not contain '/'", "may not contain '%'"])
})

test('a wildcard stands for the first label of a name, and for no other', () => {
  expect(wildcardSubdomainFaults('*.example.com')).toEqual([])
  for (const name of ['*', '*.', 'a.*.com', '*.*.com', '*a.com', 'example.com', '*.A']) {
    expect(wildcardSubdomainFaults(name)).toHaveLength(1)
  }
  expect(wildcardSubdomainFaults(`*.${'a.'.repeat(130)}a`)).toHaveLength(1)
})
