import { expect, test } from 'bun:test'
import { constants, createInflate, deflateSync } from 'node:zlib'
import { EmptyHeaderWriter, HeaderReader } from './spdy-headers.ts'

// As Go's compress/zlib writes them with the dictionary of SPDY/3, one after the other.
const BLOCKS = [
  '78bbe3c6a7c202a62346703a2b294a4dcc851625aca9a08006000000ffff',
  'c22e555c02cc2e00000000ffff',
  '02e5290c29603a4fc90717dfc0d2bc084433591800000000ffff',
]

test('header blocks are read one after the other, with the dictionary of SPDY', async () => {
  const reader = new HeaderReader()
  const read = (block: string) => reader.read(Buffer.from(block, 'hex'))
  expect([...(await read(BLOCKS[0]!))]).toEqual([['streamtype', 'error']])
  expect([...(await read(BLOCKS[1]!))]).toEqual([['streamtype', 'stdin']])
  expect([...(await read(BLOCKS[2]!))]).toEqual([
    ['streamtype', 'stdout'],
    ['port', '80'],
  ])
  reader.close()
})

test('a block that is no zlib stream is an error', async () => {
  const reader = new HeaderReader()
  await expect(reader.read(Buffer.from('no zlib at all'))).rejects.toThrow()
})

test.each([
  ['64 KiB', 64 * 1024, 'malformed header block'],
  ['more than a block may have', 64 * 1024 + 1, 'header block is too long'],
  ['200 MB of zeros in 200 KB', 200_000_000, 'header block is too long'],
])('a block of %s comes to an end, and so do all after it', async (_, bytes, message) => {
  const block = Buffer.alloc(bytes, 0xff)
  const reader = new HeaderReader()
  const packed = deflateSync(block, { finishFlush: constants.Z_SYNC_FLUSH })
  await expect(reader.read(packed)).rejects.toThrow(message)
  if (message !== 'malformed header block') {
    await expect(reader.read(packed)).rejects.toThrow(message)
  }
  reader.close()
})

test('answers without headers are one zlib stream, complete after each block', async () => {
  const writer = new EmptyHeaderWriter()
  const inflate = createInflate()
  const read = (block: Uint8Array) =>
    new Promise<Buffer>((resolve) => inflate.write(block, () => resolve(inflate.read())))
  expect([...(await read(writer.next()))]).toEqual([0, 0, 0, 0])
  expect([...(await read(writer.next()))]).toEqual([0, 0, 0, 0])
  inflate.destroy()
})
