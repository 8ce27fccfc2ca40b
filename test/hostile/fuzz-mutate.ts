// Makes new input from old: of the shape that its reader expects, wrong in one or a few places.

import type { Random } from '../../src/lib/random.ts'

/** Words that some reader somewhere takes for something. */
const WORDS = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e999',
    '9223372036854775808',
    'null',
    'true',
    '""',
    '{}',
    '[]',
    '\u0000',
  ],
  ...[
    'constructor',
    '__proto__',
    '/',
    '//',
    '../',
    '..',
    '%',
    '%2F',
    '%00',
    '%zz',
    '~0',
    '~1',
    '*',
  ],
  ...[
    '$patch',
    '$setElementOrder/containers',
    '$retainKeys',
    '<<',
    '&a',
    '*a',
    '!!str',
    '---\n',
    '|',
  ],
  ...[
    '=',
    '==',
    '!=',
    'in (',
    'notin',
    ',',
    ';',
    ':',
    '?',
    '#',
    '\n',
    '\r\n',
    '\t',
    '\ufeff',
    '日本',
  ],
  ...['\ud800', '\u2028', '1Ki', '100m', '2026-01-01T00:00:00Z', '10.0.0.1', '::', 'a'.repeat(300)],
  ...[
    '-----BEGIN A-----\n',
    '-----END A-----\n',
    'application/json',
    'v1',
    'Pod',
    'metadata',
    'name',
  ],
]
const VALUES: unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e300, 2 ** 53, '', 'a', [], {}, [[]], [null], { a: null }],
  ...[
    { constructor: 1 },
    'x'.repeat(5000),
    [1, 'a', {}],
    { name: 'a' },
    [{ name: 'a' }, { name: 'a' }],
  ],
]

export const pick = <T>(random: Random, from: readonly T[]): T =>
  from[Math.floor(random.next() * from.length)]!
export const below = (random: Random, max: number) => Math.floor(random.next() * max)

export function mutateText(random: Random, text: string, others: readonly string[]): string {
  let result = text
  for (let i = 1 + below(random, 4); i > 0; i--) result = mutateOnce(random, result, others)
  return result
}

function mutateOnce(random: Random, text: string, others: readonly string[]): string {
  const [from, length] = [below(random, text.length + 1), below(random, 20)]
  const [head, tail] = [text.slice(0, from), text.slice(from)]
  const cut = tail.slice(length)
  switch (below(random, 7)) {
    case 0:
      return head + cut
    case 1:
      return head + pick(random, WORDS) + tail
    case 2:
      return head + pick(random, WORDS) + cut
    case 3:
      return head + tail.slice(0, length).repeat(1 + below(random, 300)) + cut
    case 4:
      return head + String.fromCharCode(below(random, 256)) + tail.slice(1)
    case 5:
      return head + pick(random, others).slice(below(random, 100))
    default:
      return head + pick(random, WORDS).repeat(1 + below(random, 200)) + tail
  }
}

/** Another value of the same shape but for one place. */
export function mutateJson(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.next() < 0.1)
    return newValue(random, value)
  if (Array.isArray(value)) return mutateList(random, value)
  const entries = Object.entries(value)
  const at = below(random, entries.length + 1)
  const entry = entries[at]
  const chance = random.next()
  if (entry === undefined) entries.push([pick(random, WORDS), pick(random, VALUES)])
  else if (chance < 0.1) entries.splice(at, 1)
  else if (chance < 0.2) entries[at] = [pick(random, WORDS), entry[1]]
  else entries[at] = [entry[0], mutateJson(random, entry[1])]
  return Object.fromEntries(entries)
}

function mutateList(random: Random, list: readonly unknown[]): unknown[] {
  const copy = [...list]
  const at = below(random, copy.length + 1)
  const chance = random.next()
  if (at === copy.length) copy.push(pick(random, VALUES))
  else if (chance < 0.2) copy.splice(at, 1)
  else if (chance < 0.4) copy.push(...Array(below(random, 50)).fill(copy[at]))
  else copy[at] = mutateJson(random, copy[at])
  return copy
}

function newValue(random: Random, value: unknown): unknown {
  if (typeof value === 'string' && random.next() < 0.6) return mutateText(random, value, WORDS)
  if (typeof value === 'number' && random.next() < 0.5)
    return value * pick(random, [-1, 0, 1000, 1.5])
  if (random.next() < 0.05) return nested(random, below(random, 3000))
  return pick(random, VALUES)
}

function nested(random: Random, depth: number): unknown {
  let value: unknown = 1
  const isList = random.next() < 0.5
  for (let i = 0; i < depth; i++) value = isList ? [value] : { a: value }
  return value
}

export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes)
  for (let i = 1 + below(random, 8); i > 0 && copy.length > 0; i--) {
    copy[below(random, copy.length)] = pick(random, [0, 1, 0x7f, 0x80, 0xff, below(random, 256)])
  }
  return random.next() < 0.3 ? copy.subarray(0, below(random, copy.length + 1)) : copy
}
