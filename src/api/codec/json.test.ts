import { expect, test } from 'bun:test'
import { duplicatePaths, JsonSyntaxError, parseJson, plainJson, RawNumber } from './json.ts'

// text, Go's message
const FAULTS: [string, string][] = [
  ['', 'unexpected end of JSON input'],
  ['{"a":1', 'unexpected end of JSON input'],
  ['nul', "invalid character ' ' in literal null (expecting 'l')"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
  ['[1 2]', "invalid character '2' after array element"],
  ['{"a":1}}', "invalid character '}' after top-level value"],
  ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
  ['"a\u0001"', "invalid character '\\x01' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-', "invalid character ' ' in numeric literal"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ['1ex', "invalid character 'x' in exponent of numeric literal"],
  ['é', "invalid character 'Ã' looking for beginning of value"],
]

test('a text that is not JSON is refused with the words of Go', () => {
  for (const [text, message] of FAULTS) {
    expect(() => parseJson(text)).toThrow(new JsonSyntaxError(message))
  }
})

test('plain JSON is what JSON.parse makes of it', () => {
  const text = '{"a":[1,-2,true,null,"x\\"y"],"b":{"c":{}},"__proto__":"d"}'
  expect(parseJson(text)).toEqual({ value: JSON.parse(text), repeated: undefined })
})

test('numbers that a double may change keep their text', () => {
  const { value } = parseJson('[1.50,1e3,12345678901234567890,7]')
  expect(value).toEqual([
    new RawNumber('1.50'),
    new RawNumber('1e3'),
    new RawNumber('12345678901234567890'),
    7,
  ])
  expect(plainJson(parseJson('{"a":[1.50],"b":1e3}'))).toEqual({ a: [1.5], b: 1000 })
})

test('fields that are named twice are found, and the last one counts', () => {
  const parsed = parseJson('{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}],"a":{"e":1,"e":2,"e":3}}')
  expect(parsed.value).toEqual({ a: { e: 3 }, c: [{ d: 1 }] })
  expect(duplicatePaths(parsed)).toEqual(['a.b', 'c[0].d', 'a', 'a.e'])
  expect(duplicatePaths(parseJson('{"a":{"b":"\\"a\\":"}}'))).toEqual([])
})

test('nesting without end is refused', () => {
  const text = '['.repeat(20_000) + ']'.repeat(20_000)
  expect(() => parseJson(text)).toThrow(JsonSyntaxError)
})
