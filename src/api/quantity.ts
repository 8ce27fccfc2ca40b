// Amounts of resources: 100m, 1.5Gi, 2e3. Exact; written as Go's resource.Quantity writes them.
//
// The value is unscaled × 10^scale. Like upstream, nothing finer than 10^-9 is kept (rounded away
// from zero), and binary amounts end at 2^63-1.

import { own } from '../lib/own.ts'

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

export type Quantity = {
  readonly unscaled: bigint
  readonly scale: number
  readonly format: QuantityFormat
}

/** The text is not a quantity. The message is upstream's and stands alone. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError'
}

const WRONG_FORM =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const WRONG_SUFFIX = "unable to parse quantity's suffix"

const FORM = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/
/** The bulk of what is written in practice: short, and without a fraction. */
const SIMPLE = /^([1-9][0-9]{0,7})([numkMG]|[KMG]i|)$/

const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
const BINARY: Readonly<Record<string, number>> = {
  Ki: 10,
  Mi: 20,
  Gi: 30,
  Ti: 40,
  Pi: 50,
  Ei: 60,
}
const DECIMAL_SUFFIXES = Object.keys(DECIMAL).toSorted((a, b) => DECIMAL[a]! - DECIMAL[b]!)
const BINARY_SUFFIXES = ['', ...Object.keys(BINARY)]

const NANO = -9
const BINARY_MAX = 2n ** 63n - 1n
const INT64_DIGITS_MAX = 18
/** Larger exponents are refused: a few letters must not become megabytes of digits. */
const EXPONENT_MAX = 1000

export const ZERO: Quantity = { unscaled: 0n, scale: 0, format: 'DecimalSI' }

/** Throws QuantityError. */
export function parseQuantity(text: string): Quantity {
  return read(text).quantity
}

/** As Go writes it: three digits steps of ten, or 1024 steps for binary amounts. */
export function formatQuantity(quantity: Quantity): string {
  if (quantity.unscaled === 0n) return '0'
  if (quantity.format === 'BinarySI') {
    const whole =
      quantity.scale >= 0 ? quantity.unscaled * pow10(quantity.scale) : wholeOf(quantity)
    if (whole !== undefined && (whole >= 1024n || whole <= -1024n)) return binaryText(whole)
  }
  return decimalText(quantity)
}

/**
 * What the API answers for a quantity that was sent as `text`. It is not always formatQuantity of
 * the value: Go keeps the text when a quick look says that it is in order (`1.500` stays).
 */
export function canonicalQuantity(text: string): string {
  const simple = SIMPLE.exec(text)
  if (simple !== null) {
    const isBinary = simple[2]!.length === 2
    const isKept = isBinary ? isOddEnough(BigInt(simple[1]!)) : !simple[1]!.endsWith('000')
    if (isKept) return text
  }
  const { quantity, isKept } = read(text)
  return isKept ? text : formatQuantity(quantity)
}

export function compareQuantity(a: Quantity, b: Quantity): -1 | 0 | 1 {
  const scale = Math.min(a.scale, b.scale)
  const left = a.unscaled * pow10(a.scale - scale)
  const right = b.unscaled * pow10(b.scale - scale)
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** The sum has the format of `a`, or that of `b` when `a` is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  const scale = Math.min(a.scale, b.scale)
  const unscaled = a.unscaled * pow10(a.scale - scale) + b.unscaled * pow10(b.scale - scale)
  return { unscaled, scale, format: a.unscaled === 0n ? b.format : a.format }
}

export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  return addQuantity(a, { ...b, unscaled: -b.unscaled })
}

/** In units of 10^scale, rounded away from zero: upstream's Value (0) and MilliValue (-3). */
export function scaledValue(quantity: Quantity, scale: number): bigint {
  const shift = quantity.scale - scale
  if (shift >= 0) return quantity.unscaled * pow10(shift)
  return divideAwayFromZero(quantity.unscaled, pow10(-shift))
}

/** The amount in whole units (bytes, pieces), rounded up; exact to 2^53. */
export function wholeUnits(quantity: Quantity): number {
  return Number(scaledValue(quantity, 0))
}

/** The amount in thousandths, rounded up: milli-CPUs. */
export function milliUnits(quantity: Quantity): number {
  return Number(scaledValue(quantity, -3))
}

export function quantityOf(
  units: number | bigint,
  format: QuantityFormat = 'DecimalSI',
  scale = 0,
): Quantity {
  return { unscaled: BigInt(units), scale, format }
}

/** Digits beyond these mean nothing to anybody, and big integers of them are dear. */
const LETTERS_MAX = 1000

function read(text: string): { quantity: Quantity; isKept: boolean } {
  const match = text.length > LETTERS_MAX ? null : FORM.exec(text)
  if (text === '' || match === null) throw new QuantityError(WRONG_FORM)
  const [, sign, digits = '', fraction = '', suffix = ''] = match
  const whole = digits.replace(/^0+/, '') || '0'
  const { format, exponent } = readSuffix(suffix)
  const magnitude = BigInt(whole + fraction)
  const unscaled = sign === '-' ? -magnitude : magnitude
  const parsed = { unscaled, scale: -fraction.length, format }
  if (format === 'BinarySI') {
    const quantity = binaryQuantity(parsed, exponent)
    return { quantity, isKept: isBinaryKept(whole, fraction, exponent) }
  }
  const scale = exponent - fraction.length
  const quantity = notFinerThanNano({ unscaled, scale, format })
  return { quantity, isKept: isDecimalKept(whole + fraction, scale) }
}

function readSuffix(suffix: string): { format: QuantityFormat; exponent: number } {
  const decimal = own(DECIMAL, suffix)
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal }
  const binary = own(BINARY, suffix)
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary }
  if (!/^[eE][-+]?[0-9]+$/.test(suffix)) throw new QuantityError(WRONG_SUFFIX)
  const exponent = Number.parseInt(suffix.slice(1), 10)
  if (Math.abs(exponent) > EXPONENT_MAX) throw new QuantityError(WRONG_SUFFIX)
  return { format: 'DecimalExponent', exponent }
}

function binaryQuantity(parsed: Quantity, exponent: number): Quantity {
  const exact = notFinerThanNano({ ...parsed, unscaled: parsed.unscaled << BigInt(exponent) })
  const one = pow10(-exact.scale)
  const size = exact.unscaled < 0n ? -exact.unscaled : exact.unscaled
  if (size > BINARY_MAX * one) {
    return {
      unscaled: exact.unscaled < 0n ? -BINARY_MAX : BINARY_MAX,
      scale: 0,
      format: 'BinarySI',
    }
  }
  return size > 0n && size < one ? { ...exact, format: 'DecimalSI' } : exact
}

function notFinerThanNano(quantity: Quantity): Quantity {
  if (quantity.scale >= NANO) return quantity
  return { ...quantity, unscaled: scaledValue(quantity, NANO), scale: NANO }
}

/** Whether Go's quick way keeps the text of a decimal amount as it was sent. */
function isDecimalKept(digits: string, scale: number): boolean {
  if (digits.length > INT64_DIGITS_MAX || scale < NANO || scale % 3 !== 0) return false
  return !digits.endsWith('000') && !digits.startsWith('0')
}

function isBinaryKept(whole: string, fraction: string, exponent: number): boolean {
  const room = 15 - whole.length - Math.trunc((exponent * 3) / 10) - 1
  return fraction === '' && room >= 0 && isOddEnough(BigInt(whole))
}

/** A number with one of its last three bits set has no factor of 1024. */
function isOddEnough(value: bigint): boolean {
  return (value & 7n) !== 0n
}

/** The value as an integer, or undefined when it has a fraction. */
function wholeOf({ unscaled, scale }: Quantity): bigint | undefined {
  const one = pow10(-scale)
  return unscaled % one === 0n ? unscaled / one : undefined
}

function binaryText(whole: bigint): string {
  let value = whole
  let steps = 0
  while (value % 1024n === 0n && steps < BINARY_SUFFIXES.length - 1) {
    value /= 1024n
    steps += 1
  }
  return `${value}${BINARY_SUFFIXES[steps]}`
}

function decimalText({ unscaled, scale, format }: Quantity): string {
  let value = unscaled
  let exponent = scale
  while (value % 10n === 0n) {
    value /= 10n
    exponent += 1
  }
  const isExponent = format === 'DecimalExponent'
  while (exponent % 3 !== 0 || (!isExponent && exponent > DECIMAL.E!)) {
    value *= 10n
    exponent -= 1
  }
  if (isExponent) return exponent === 0 ? `${value}` : `${value}e${exponent}`
  return `${value}${DECIMAL_SUFFIXES[(exponent - NANO) / 3]}`
}

function divideAwayFromZero(value: bigint, by: bigint): bigint {
  const quotient = value / by
  if (quotient * by === value) return quotient
  return value < 0n ? quotient - 1n : quotient + 1n
}

const POWERS: readonly bigint[] = Array.from({ length: 19 }, (_, index) => 10n ** BigInt(index))

function pow10(exponent: number): bigint {
  return POWERS[exponent] ?? 10n ** BigInt(exponent)
}
