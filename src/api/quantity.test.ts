// Vectors were written by Go's own resource.Quantity.

import { expect, test } from 'bun:test'
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  milliUnits,
  parseQuantity,
  QuantityError,
  quantityOf,
  subtractQuantity,
  wholeUnits,
} from './quantity.ts'

// text, what Go writes, Value, MilliValue
const VECTORS: [string, string, number, number][] = [
  ['0', '0', 0, 0],
  ['1', '1', 1, 1000],
  ['100m', '100m', 1, 100],
  ['1000m', '1', 1, 1000],
  ['1500m', '1500m', 2, 1500],
  ['0.5', '500m', 1, 500],
  ['1.5', '1500m', 2, 1500],
  ['1.500', '1.500', 2, 1500],
  ['1.0', '1', 1, 1000],
  ['10', '10', 10, 10000],
  ['1000', '1k', 1000, 1000000],
  ['1000000', '1M', 1000000, 1000000000],
  ['1001', '1001', 1001, 1001000],
  ['12345', '12345', 12345, 12345000],
  ['1k', '1k', 1000, 1000000],
  ['1000k', '1M', 1000000, 1000000000],
  ['1M', '1M', 1000000, 1000000000],
  ['1Ki', '1Ki', 1024, 1024000],
  ['1024Ki', '1Mi', 1048576, 1048576000],
  ['1023Ki', '1023Ki', 1047552, 1047552000],
  ['1024', '1024', 1024, 1024000],
  ['1.5Gi', '1536Mi', 1610612736, 1610612736000],
  ['0.5Gi', '512Mi', 536870912, 536870912000],
  ['0.1Mi', '104857600m', 104858, 104857600],
  ['100Mi', '100Mi', 104857600, 104857600000],
  ['128Mi', '128Mi', 134217728, 134217728000],
  ['1024Mi', '1Gi', 1073741824, 1073741824000],
  ['2048Mi', '2Gi', 2147483648, 2147483648000],
  ['1025Mi', '1025Mi', 1074790400, 1074790400000],
  ['0Mi', '0', 0, 0],
  ['000', '0', 0, 0],
  ['007', '007', 7, 7000],
  ['+5', '+5', 5, 5000],
  ['-5', '-5', -5, -5000],
  ['-1.5Gi', '-1536Mi', -1610612736, -1610612736000],
  ['-0', '0', 0, 0],
  ['1e3', '1e3', 1000, 1000000],
  ['1E3', '1E3', 1000, 1000000],
  ['1e-3', '1e-3', 1, 1],
  ['1e4', '10e3', 10000, 10000000],
  ['12e5', '1200e3', 1200000, 1200000000],
  ['1.5e3', '1500', 1500, 1500000],
  ['0.1m', '100u', 1, 1],
  ['1n', '1n', 1, 1],
  ['0.1n', '1n', 1, 1],
  ['0.000000001', '1n', 1, 1],
  ['0.0000000001', '1n', 1, 1],
  ['1u', '1u', 1, 1],
  ['1T', '1T', 1000000000000, 1000000000000000],
  ['5.', '5.', 5, 5000],
  ['.', '0', 0, 0],
  ['1E1', '10', 10, 10000],
  ['0.5Ki', '512', 512, 512000],
  ['1.1Ki', '1126400m', 1127, 1126400],
  ['0.0001Ki', '102400u', 1, 103],
  ['1000Ki', '1000Ki', 1024000, 1024000000],
  ['512Ki', '512Ki', 524288, 524288000],
  ['10000000', '10M', 10000000, 10000000000],
  ['3000m', '3', 3, 3000],
  ['30000m', '30', 30, 30000],
  ['1m', '1m', 1, 1],
  ['1100m', '1100m', 2, 1100],
  ['Ki', '0', 0, 0],
  ['+', '0', 0, 0],
  ['-', '0', 0, 0],
  ['3Gi', '3Gi', 3221225472, 3221225472000],
  ['1.25', '1250m', 2, 1250],
  ['0.25', '250m', 1, 250],
  ['250m', '250m', 1, 250],
  ['0.001', '1m', 1, 1],
  ['0.0005', '500u', 1, 1],
  ['1e+3', '1e+3', 1000, 1000000],
  ['00012Ki', '00012Ki', 12288, 12288000],
  ['999Ki', '999Ki', 1022976, 1022976000],
  ['1e0', '1e0', 1, 1000],
  ['5e-9', '5e-9', 1, 1],
  ['5e-10', '1e-9', 1, 1],
  ['4e9', '4e9', 4000000000, 4000000000000],
]

// Text only: these overflow Go's Value and MilliValue.
const LARGE: [string, string][] = [
  ['999999999999999999', '999999999999999999'],
  ['9999999999999999999', '9999999999999999999'],
  ['123456789012345678901234567890', '123456789012345678901234567890'],
  ['8Ei', '9223372036854775807'],
  ['100Ei', '9223372036854775807'],
  ['-100Ei', '-9223372036854775807'],
  ['1E', '1E'],
  ['10E', '10E'],
  ['1e19', '10e18'],
  ['1024Pi', '1Ei'],
  ['-0.0000000001', '-1n'],
]

const WRONG: [string, 'form' | 'suffix'][] = [
  [' 5', 'form'],
  ['5 ', 'form'],
  ['', 'form'],
  ['x', 'form'],
  ['1zi', 'form'],
  ['1KiB', 'form'],
  ['1.2.3', 'form'],
  ['1Kii', 'suffix'],
  ['--1', 'suffix'],
  ['1e', 'suffix'],
  ['0x10', 'form'],
  ['1_000', 'form'],
]

// a, b, a + b, a - b, a compared with b
const OPERATIONS: [string, string, string, string, number][] = [
  ['1', '500m', '1500m', '500m', 1],
  ['1Gi', '1G', '2073741824', '73741824', 1],
  ['0', '1Gi', '1Gi', '-1Gi', -1],
  ['0Mi', '5', '5', '-5', -1],
  ['100m', '0.1', '200m', '0', 0],
  ['1Ki', '1', '1025', '1023', 1],
  ['1500m', '1500m', '3', '0', 0],
  ['-1', '1', '0', '-2', -1],
  ['1e3', '1', '1001', '999', 1],
  ['1Ei', '1n', '1152921504606846976000000001n', '1152921504606846975999999999n', 1],
  ['1023', '1Ki', '2047', '-1', -1],
  ['512Mi', '512Mi', '1Gi', '0', 0],
  ['999m', '1m', '1', '998m', 1],
]

test('a quantity is written as Go writes it', () => {
  for (const [text, written] of VECTORS)
    expect([text, canonicalQuantity(text)]).toEqual([text, written])
  for (const [text, written] of LARGE)
    expect([text, canonicalQuantity(text)]).toEqual([text, written])
})

test('the value of a quantity in units and thousandths is rounded as Go rounds it', () => {
  for (const [text, , units, thousandths] of VECTORS) {
    const quantity = parseQuantity(text)
    // Adding zero makes a negative zero positive.
    const values = [wholeUnits(quantity) + 0, milliUnits(quantity) + 0]
    expect([text, ...values]).toEqual([text, units, thousandths])
  }
})

test('what is no quantity is refused with the words of Go', () => {
  const form =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
  for (const [text, why] of WRONG) {
    const message = why === 'form' ? form : "unable to parse quantity's suffix"
    expect(() => parseQuantity(text)).toThrow(new QuantityError(message))
  }
})

test('an exponent of absurd size is refused', () => {
  expect(() => parseQuantity('1e999999999')).toThrow(QuantityError)
})

test('sums, differences and comparisons are exact and keep the format of the first', () => {
  for (const [left, right, sum, difference, order] of OPERATIONS) {
    const [a, b] = [parseQuantity(left), parseQuantity(right)]
    const results = [addQuantity(a, b), subtractQuantity(a, b)].map(formatQuantity)
    expect([left, right, ...results]).toEqual([left, right, sum, difference])
    expect(compareQuantity(a, b)).toBe(order as -1 | 0 | 1)
  }
})

test('a number becomes a quantity of the format asked for', () => {
  expect(formatQuantity(quantityOf(2 * 1024 ** 3, 'BinarySI'))).toBe('2Gi')
  expect(formatQuantity(quantityOf(250, 'DecimalSI', -3))).toBe('250m')
})
