import { expect, test } from 'bun:test'
import { matchesFields, parseFieldSelector } from './field-selector.ts'
import {
  formatLabelSelector,
  matchesLabels,
  parseLabelSelector,
  requirementsOf,
  SelectorError,
} from './selector.ts'

// text, canonical text; as written by apimachinery's labels.Parse
const SELECTORS: [string, string][] = [
  ['', ''],
  ['a', 'a'],
  ['!a', '!a'],
  ['b=1,a==2 , c != 3', 'a==2,b=1,c!=3'],
  ['a in (z,x,,x)', 'a in (,x,z)'],
  ['a notin ()', 'a notin ()'],
  ['a>1,b<2', 'a>1,b<2'],
  ['in in (in),notin', 'in in (in),notin'],
  ['x.io/a=', 'x.io/a='],
]

const WRONG: [string, string][] = [
  ['a,', "found '', expected: identifier after ','"],
  ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ['=a', "found '=', expected: !, identifier, or 'end of string'"],
  ['a in b', "unable to parse requirement: found 'b' expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
  ['a>x', 'unable to parse requirement: values[0]: Invalid value: "x": for'],
]

test('a label selector is read and written as upstream does', () => {
  for (const [text, canonical] of SELECTORS) {
    expect([text, formatLabelSelector(parseLabelSelector(text))]).toEqual([text, canonical])
  }
})

test('what is no label selector is refused with the words of upstream', () => {
  for (const [text, message] of WRONG) expect(() => parseLabelSelector(text)).toThrow(message)
  expect(() => parseLabelSelector('a/b/c')).toThrow('<nil>: Invalid value: "a/b/c"')
})

test('labels match when every requirement holds', () => {
  const labels = { app: 'web', tier: 'front', weight: '5' }
  const matches = (text: string) => matchesLabels(parseLabelSelector(text), labels)
  expect(
    ['', 'app', 'app=web', 'app in (web,x)', 'none!=x', '!none', 'weight>4'].map(matches),
  ).toEqual(Array(7).fill(true))
  expect(
    ['none', 'app=x', 'app notin (web)', '!app', 'weight<5', 'app>1', 'app,none'].map(matches),
  ).toEqual(Array(7).fill(false))
  expect(matchesLabels(parseLabelSelector('a'), undefined)).toBe(false)
})

test('an empty selector object matches everything, an absent one nothing', () => {
  expect(requirementsOf({})).toEqual([])
  expect(requirementsOf(undefined)).toBeUndefined()
})

test('a selector object becomes requirements', () => {
  const requirements = requirementsOf({
    matchLabels: { b: '1' },
    matchExpressions: [
      { key: 'a', operator: 'In', values: ['y', 'x'] },
      { key: 'c', operator: 'DoesNotExist' },
    ],
  })
  expect(formatLabelSelector(requirements!)).toBe('a in (x,y),b=1,!c')
  const wrong = { matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] }
  expect(() => requirementsOf(wrong)).toThrow('"Gt" is not a valid label selector operator')
})

test('a field selector is read as upstream does', () => {
  const [a, c] = ['a', 'c'].map((field) => ({ field, operator: '=', value: 'b' }) as const)
  const cases: [text: string, terms: unknown[]][] = [
    ['a=b,c!=b', [a, { ...c, operator: '!=' }]],
    ['c==b,,a=b', [a, c]],
    ['a=b\\,c', [{ ...a, value: 'b,c' }]],
    ['a=', [{ ...a, value: '' }]],
  ]
  for (const [text, terms] of cases) expect(parseFieldSelector(text)).toEqual(terms as never)
  expect(() => parseFieldSelector('a')).toThrow("invalid selector: 'a'; can't understand 'a'")
  expect(() => parseFieldSelector('a=b\\x')).toThrow(SelectorError)
  expect(() => parseFieldSelector('a=b=c')).toThrow('unescaped character in value: 61')
})

test('fields match when every term holds', () => {
  const read = (field: string) => (field === 'spec.nodeName' ? 'n1' : '')
  const matches = (text: string) => matchesFields(parseFieldSelector(text), read)
  expect(['', 'spec.nodeName=n1', 'spec.nodeName!=n2', 'other='].map(matches)).toEqual(
    Array(4).fill(true),
  )
  expect(['spec.nodeName=n2', 'spec.nodeName!=n1', 'other=x'].map(matches)).toEqual(
    Array(3).fill(false),
  )
})
