import { expect, test } from 'bun:test'
import { checkRanges } from './ranges.ts'

const DEFAULTS = {
  'cluster-cidr': '10.42.0.0/16',
  'service-cidr': '10.43.0.0/16',
  'cluster-dns': undefined,
}

test('the usual ranges fit', () => {
  expect(() => checkRanges(DEFAULTS, '192.168.1.10')).not.toThrow()
})

test('ranges that overlap are refused, whichever is larger', () => {
  for (const [pods, services] of [
    ['10.0.0.0/8', '10.43.0.0/16'],
    ['10.43.7.0/24', '10.43.0.0/16'],
    ['10.43.0.0/16', '10.43.0.0/16'],
  ]) {
    const settings = { ...DEFAULTS, 'cluster-cidr': pods!, 'service-cidr': services! }
    expect(() => checkRanges(settings, '192.168.1.10')).toThrow('overlaps --cluster-cidr')
  }
})

test('a range that holds the machine itself is refused', () => {
  expect(() => checkRanges(DEFAULTS, '10.42.0.7')).toThrow(
    '--cluster-cidr 10.42.0.0/16: holds the address of this machine, 10.42.0.7: give another range',
  )
  expect(() => checkRanges(DEFAULTS, '10.43.0.7')).toThrow('--service-cidr 10.43.0.0/16: holds')
})

test('the cluster DNS lies among the Services', () => {
  const at = (dns: string) => () => checkRanges({ ...DEFAULTS, 'cluster-dns': dns }, '192.168.1.10')
  expect(at('10.43.0.53')).not.toThrow()
  expect(at('10.42.0.10')).toThrow('--cluster-dns 10.42.0.10: is not in --service-cidr')
})
