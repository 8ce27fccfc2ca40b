import { expect, test } from 'bun:test'
import { matchesNodeTerm, meets } from './requirement.ts'

const values = ['5']
const rows: [operator: string, value: string | undefined, isMet: boolean][] = [
  ['In', '5', true],
  ['In', '6', false],
  ['In', undefined, false],
  ['NotIn', '5', false],
  ['NotIn', '6', true],
  ['NotIn', undefined, true],
  ['Exists', '', true],
  ['Exists', undefined, false],
  ['DoesNotExist', '', false],
  ['DoesNotExist', undefined, true],
  ['Gt', '10', true],
  ['Gt', '5', false],
  ['Gt', '1e3', false],
  ['Gt', '9223372036854775808', false],
  ['Lt', '-7', true],
  ['Lt', undefined, false],
  ['Like', '5', false],
]

for (const [operator, value, isMet] of rows) {
  test(`${value ?? 'no value'} ${isMet ? 'meets' : 'does not meet'} ${operator} 5`, () => {
    expect(meets({ operator, values }, value)).toBe(isMet)
  })
}

test('a term wants all of its expressions and fields, and an empty one matches nothing', () => {
  const node = { metadata: { name: 'a', labels: { disk: 'ssd' } }, spec: {} }
  const disk = (wanted: string) => ({ key: 'disk', operator: 'In', values: [wanted] })
  const name = (wanted: string) => ({ key: 'metadata.name', operator: 'In', values: [wanted] })
  const matches = (term: Parameters<typeof matchesNodeTerm>[0]) => matchesNodeTerm(term, node)
  expect(matches({})).toBe(false)
  expect(matches({ matchExpressions: [disk('ssd')], matchFields: [name('a')] })).toBe(true)
  expect(matches({ matchExpressions: [disk('hdd')], matchFields: [name('a')] })).toBe(false)
  expect(matches({ matchExpressions: [disk('ssd')], matchFields: [name('b')] })).toBe(false)
})
