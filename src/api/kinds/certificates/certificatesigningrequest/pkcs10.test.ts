import { expect, test } from 'bun:test'
import { requestFault } from './pkcs10.ts'

/** Of an elliptic key, for /O=g/CN=u. */
const REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIU01Ib0NBUUF3R0RFS01BZ0dBMVVF' +
  'Q2d3Qlp6RUtNQWdHQTFVRUF3d0JkVEJaTUJNR0J5cUdTTTQ5QWdFRwpDQ3FHU000OUF3RUhBMElBQkZN' +
  'K0xHK0NDL0tEVEVPb05SRW9aMERoaTFoTm5SVGM1UVlHNDhFenBibUpNT1ZtCmpSU2x4N2VkMnNGTSt1' +
  'N2s2RW9OYXVvM2ZnYm9tejlvUHdEOHRFZWdBREFLQmdncWhrak9QUVFEQWdOSUFEQkYKQWlFQStsZmlE' +
  'LzFJTFc5TFkraFBTclduYzlJNVluWWlUV2NaR2R2MjRnb0VnWUFDSUJoN0FkWmdMRzVPOG5mSgpkbm5l' +
  'cy9TTTh1SCtTdzZJcU0vYUhxVU9EYmxBCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo='

test('a request that its own key has signed is taken', () => {
  expect(requestFault(REQUEST)).toBeUndefined()
})

test('a request that was changed is not', () => {
  const pem = Buffer.from(REQUEST, 'base64').toString()
  const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')
  der[der.indexOf('u', 0, 'latin1')] = 0x76
  const changed = [
    '-----BEGIN CERTIFICATE REQUEST-----',
    der.toString('base64'),
    '-----END CERTIFICATE REQUEST-----',
    '',
  ].join('\n')
  expect(requestFault(Buffer.from(changed).toString('base64'))).toBeDefined()
})

test('what is no request says so', () => {
  expect(requestFault('')).toBe('PEM block type must be CERTIFICATE REQUEST')
  const empty = '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'
  expect(requestFault(Buffer.from(empty).toString('base64'))).toContain('asn1')
})
