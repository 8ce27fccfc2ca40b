import { expect, test } from 'bun:test'
import type { DaemonSet } from '../../../schema/generated/types.ts'
import { templateGenerationOf } from './strategy.ts'

const generationOf = (text: string) => {
  const annotations = { 'deprecated.daemonset.template.generation': text }
  return templateGenerationOf({ metadata: { annotations } } as unknown as DaemonSet)
}

test('a generation of templates is any number of 64 bits, and nothing else', () => {
  expect(templateGenerationOf({ metadata: {} } as DaemonSet)).toBe(0n)
  expect(generationOf('+7')).toBe(7n)
  expect(generationOf(`-${'0'.repeat(30)}7`)).toBe(-7n)
  expect(generationOf('9223372036854775807')).toBe(2n ** 63n - 1n)
  expect(generationOf('-9223372036854775808')).toBe(-(2n ** 63n))
  for (const text of ['9223372036854775808', '-9223372036854775809', '9'.repeat(100_000)]) {
    expect(() => generationOf(text)).toThrow('value out of range')
  }
  for (const text of ['', 'x', '1.0', '1e3', '0x1', ' 1', '+', '1_000']) {
    expect(() => generationOf(text)).toThrow(`parsing ${JSON.stringify(text)}: invalid syntax`)
  }
})
