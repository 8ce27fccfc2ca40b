import { expect, test } from 'bun:test'
import { firstPemBlock, pemBlocks } from './pem.ts'

const labels = (text: string) => [...pemBlocks(text)].map(({ label }) => label)

test('reads blocks among other text, with any line ends', () => {
  const text =
    'x\r\n-----BEGIN A-----\r\nAAEC\r\n-----END A-----\r\ny\n-----BEGIN B-----\n-----END B-----'
  expect([...pemBlocks(text)]).toEqual([
    { label: 'A', hasHeaders: false, bytes: Buffer.from([0, 1, 2]) },
    { label: 'B', hasHeaders: false, bytes: Buffer.from([]) },
  ])
})

test('passes over what is no block: another end, no end, no base64, no beginning of a line', () => {
  expect(labels('-----BEGIN A-----\nAAEC\n-----END B-----\n')).toEqual([])
  expect(labels('-----BEGIN A-----\nAAEC\n')).toEqual([])
  expect(labels('-----BEGIN A-----\nA*EC\n-----END A-----\n')).toEqual([])
  expect(labels(' -----BEGIN A-----\nAAEC\n-----END A-----\n')).toEqual([])
  expect(labels('-----BEGIN A-----\n-----BEGIN B-----\nAAEC\n-----END B-----\n')).toEqual(['B'])
  expect(firstPemBlock('')).toBeUndefined()
})

test('tells headers from the body', () => {
  const text = '-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END A-----\n'
  expect(firstPemBlock(text)).toEqual({
    label: 'A',
    hasHeaders: true,
    bytes: Buffer.from([0, 1, 2]),
  })
})
