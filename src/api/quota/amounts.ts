// Lists of resources, as amounts that can be reckoned with.

import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantity,
  ZERO,
} from '../quantity.ts'

export type Amounts = ReadonlyMap<string, Quantity>
export type ResourceList = { [name: string]: string }

export function parseAmounts(list: Readonly<ResourceList> | undefined): Map<string, Quantity> {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]))
}

/** By name. */
export function formatAmounts(amounts: Amounts): ResourceList {
  const sorted = [...amounts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, amount]) => [name, formatQuantity(amount)]))
}

/** `cpu=1,pods=2`: as messages show them. */
export function amountsText(amounts: Amounts): string {
  return Object.entries(formatAmounts(amounts))
    .map(([name, text]) => `${name}=${text}`)
    .join(',')
}

export function plus(a: Amounts, b: Amounts): Map<string, Quantity> {
  const sum = new Map(a)
  for (const [name, amount] of b) {
    const before = sum.get(name)
    sum.set(name, before === undefined ? amount : addQuantity(before, amount))
  }
  return sum
}

/** How much more `a` is than `b`; nothing where it is less. */
export function growth(a: Amounts, b: Amounts): Map<string, Quantity> {
  const more = new Map<string, Quantity>()
  for (const [name, amount] of a) {
    const difference = subtractQuantity(amount, b.get(name) ?? ZERO)
    if (difference.unscaled > 0n) more.set(name, difference)
  }
  return more
}

export function only(amounts: Amounts, isWanted: (name: string) => boolean): Map<string, Quantity> {
  return new Map([...amounts].filter(([name]) => isWanted(name)))
}

export function withoutZeros(amounts: Amounts): Map<string, Quantity> {
  return new Map([...amounts].filter(([, { unscaled }]) => unscaled !== 0n))
}

/** The names of which there is more than `most` allows. */
export function exceeding(amounts: Amounts, most: Amounts): Set<string> {
  const names = [...amounts].flatMap(([name, amount]) => {
    const bound = most.get(name)
    return bound !== undefined && compareQuantity(amount, bound) > 0 ? [name] : []
  })
  return new Set(names)
}

export function sameAmounts(a: Amounts, b: Amounts): boolean {
  if (a.size !== b.size) return false
  return [...a].every(([name, amount]) => {
    const other = b.get(name)
    return other !== undefined && compareQuantity(amount, other) === 0
  })
}
